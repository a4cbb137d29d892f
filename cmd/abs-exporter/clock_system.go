//go:build !abs_fastclock

package main

import "github.com/abs-exporter/abs-exporter/collector"

func newClock() collector.Clock { return collector.SystemClock{} }
