//go:build !abs_fastclock

package main

import "github.com/abs-exporter/abs-exporter/collector"

// newClock is the machine's own time.
func newClock() (collector.Clock, error) { return collector.SystemClock{}, nil }
