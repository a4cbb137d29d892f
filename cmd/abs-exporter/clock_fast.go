//go:build abs_fastclock

package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/abs-exporter/abs-exporter/collector"
)

// envTestClock is the clock of a test: "EPOCH,FACTOR,START". It shows EPOCH (RFC 3339) at the real
// time START (Unix nanoseconds), and runs FACTOR times as fast from there. Binaries for users are
// built without this file.
const envTestClock = "ABS_EXPORTER_TEST_CLOCK"

// newClock returns the clock of the test, or the machine's where the variable is not set. It panics
// if the variable is wrong.
func newClock() collector.Clock {
	text := os.Getenv(envTestClock)
	if text == "" {
		return collector.SystemClock{}
	}
	var epochText string
	var factor float64
	var start int64
	_, err := fmt.Sscanf(strings.ReplaceAll(text, ",", " "), "%s %g %d", &epochText, &factor, &start)
	epoch, epochErr := time.Parse(time.RFC3339Nano, epochText)
	if err != nil || epochErr != nil || !(factor > 0) {
		panic(envTestClock + " must be EPOCH,FACTOR,START but is " + text)
	}
	return fastClock{epoch: epoch.UTC(), factor: factor, start: time.Unix(0, start)}
}

// fastClock runs factor times as fast as the machine's.
type fastClock struct {
	epoch  time.Time
	factor float64
	start  time.Time
}

// Now implements collector.Clock.
func (c fastClock) Now() time.Time {
	return c.epoch.Add(time.Duration(float64(time.Since(c.start)) * c.factor))
}

// Sleep implements collector.Clock.
func (c fastClock) Sleep(ctx context.Context, d time.Duration) error {
	return collector.SystemClock{}.Sleep(ctx, time.Duration(float64(d)/c.factor))
}
