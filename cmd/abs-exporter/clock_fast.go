//go:build abs_fastclock

package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/abs-exporter/abs-exporter/collector"
)

// envTestClock holds the clock of a test: "EPOCH,FACTOR,START", where EPOCH (RFC 3339)
// is the time to show at the real time START (Unix nanoseconds), and time runs FACTOR
// times as fast from there. Binaries for users are built without this file.
const envTestClock = envPrefix + "_TEST_CLOCK"

// newClock is the clock of the test, or the machine's own where none is asked for.
func newClock() (collector.Clock, error) {
	text := os.Getenv(envTestClock)
	if text == "" {
		return collector.SystemClock{}, nil
	}
	parts := strings.Split(text, ",")
	if len(parts) != 3 {
		return nil, fmt.Errorf("%s must be EPOCH,FACTOR,START but is %q", envTestClock, text)
	}
	epoch, err := time.Parse(time.RFC3339Nano, parts[0])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", envTestClock, err)
	}
	factor, err := strconv.ParseFloat(parts[1], 64)
	if err != nil || !(factor > 0) {
		return nil, fmt.Errorf("%s: %q is no factor above 0", envTestClock, parts[1])
	}
	start, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", envTestClock, err)
	}
	return fastClock{epoch: epoch.UTC(), factor: factor, start: time.Unix(0, start)}, nil
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
