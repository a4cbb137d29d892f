package ledger

import "time"

// clock is what the ledger knows of time: the wall clock as of the last Advance, a time of its own
// that no step of the wall clock moves, and ABS's clock.
type clock struct {
	wall    time.Time     // as of the last Advance; zero before the first
	elapsed time.Duration // since the first Advance ever, with the time that no process ran
	began   time.Duration // elapsed, when this process began
	running bool          // this process advanced it before
	abs     time.Time     // ABS's Date, as it was last seen; zero: never
	seen    time.Duration // elapsed, then
	apart   time.Duration // elapsed, when the wall clock began to disagree with ABS's; 0: it agrees
}

// advance moves the clock. A process that continues from a state takes the time since then for
// elapsed. It reports whether the wall clock was set back.
func (c *clock) advance(now time.Time, elapsed time.Duration, tolerance time.Duration) (back bool) {
	back = now.Before(c.wall)
	if !c.running {
		if !c.wall.IsZero() {
			elapsed = max(0, now.Sub(c.wall))
		}
		c.began = c.elapsed + elapsed
	}
	c.elapsed += elapsed
	c.wall, c.running = now, true
	c.compare(tolerance)
	return back
}

// sawABS records ABS's clock.
func (c *clock) sawABS(date time.Time, tolerance time.Duration) {
	if date.IsZero() {
		return
	}
	c.abs, c.seen = date, c.elapsed
	c.compare(tolerance)
}

// compare compares the wall clock with what ABS's must show by now.
func (c *clock) compare(tolerance time.Duration) {
	difference := c.wall.Sub(c.abs.Add(c.elapsed - c.seen))
	switch {
	case c.abs.IsZero(), difference.Abs() <= tolerance:
		c.apart = 0
	case c.apart == 0:
		c.apart = max(1, c.elapsed)
	}
}

// trusted reports whether the wall clock agrees with ABS's, as far as that is known. One that
// disagrees for longer than limit is trusted, too: then ABS's is wrong.
func (c *clock) trusted(limit time.Duration) bool {
	return c.apart == 0 || c.elapsed-c.apart > limit
}

// start returns when this process began, by the wall clock as it is now.
func (c *clock) start() time.Time { return c.wall.Add(c.began - c.elapsed) }
