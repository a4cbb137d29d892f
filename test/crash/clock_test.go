package crash

import (
	"context"
	"fmt"
	"time"
)

// clock runs factor times as fast as the machine's, and showed epoch at start. The exporter under
// test has the same one.
type clock struct {
	epoch  time.Time
	factor float64
	start  time.Time
}

func startClock(epoch time.Time, factor float64) clock {
	return clock{epoch: epoch, factor: factor, start: time.Now()}
}

// Now returns the time of ABS.
func (c clock) Now() time.Time {
	return c.epoch.Add(time.Duration(float64(time.Since(c.start)) * c.factor))
}

// real returns how long a span of ABS's time lasts in the machine's.
func (c clock) real(d time.Duration) time.Duration { return time.Duration(float64(d) / c.factor) }

// sleepUntil returns at an instant of ABS's time, or with an error when ctx ends first.
func (c clock) sleepUntil(ctx context.Context, at time.Time) error {
	return sleep(ctx, c.real(at.Sub(c.Now())))
}

// variable is the environment variable that sets the exporter's clock.
func (c clock) variable() string {
	return fmt.Sprintf("ABS_EXPORTER_TEST_CLOCK=%s,%g,%d", c.epoch.Format(time.RFC3339Nano), c.factor, c.start.UnixNano())
}

// sleep waits in the machine's time.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
