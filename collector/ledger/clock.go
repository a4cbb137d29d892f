package ledger

import "time"

// clock is what the ledger knows of time: the wall clock as of the last Advance, a time of its own
// that no step of the wall clock moves, and ABS's clock.
type clock struct {
	wall    time.Time     // as of the last Advance; zero before the first
	elapsed time.Duration // since the first Advance ever, with the time that no process ran
	running bool          // this process advanced it before
	guessed bool          // elapsed has the time that no process ran, by the wall clock
	abs     time.Time     // ABS's Date, as it was last seen; zero: never
	seen    time.Duration // elapsed, then
	apart   time.Duration // elapsed, when the wall clock began to disagree with ABS's; 0: it agrees
}

// advance moves the clock. A process that continues from a state takes the time since then for
// elapsed; where the wall clock was set back meanwhile, the time since what ABS's clock showed. It
// reports whether the wall clock was set back.
func (c *clock) advance(now time.Time, elapsed time.Duration, tolerance time.Duration) (back bool) {
	back = now.Before(c.wall)
	switch {
	case c.running:
	case c.wall.IsZero():
		elapsed = 0
	case back && !c.abs.IsZero():
		elapsed = max(0, now.Sub(c.showsABS()))
	default:
		elapsed = max(0, now.Sub(c.wall))
	}
	c.elapsed += elapsed
	c.guessed = c.guessed || !c.running && !c.wall.IsZero()
	c.wall, c.running = now, true
	c.compare(tolerance)
	return back
}

// sawABS records ABS's clock. The first time in a process, it corrects how long no process ran: the
// wall clock may be ahead, or was before. It reports whether it was, and so was set back meanwhile.
func (c *clock) sawABS(date time.Time, tolerance time.Duration) (back bool) {
	if date.IsZero() {
		return false
	}
	if c.guessed && !c.abs.IsZero() {
		passed := c.seen + max(0, date.Sub(c.abs))
		back = passed-c.elapsed > tolerance && c.wall.Sub(date).Abs() <= tolerance
		if back || c.elapsed-passed > tolerance {
			c.elapsed = passed
		}
	}
	c.guessed = false
	c.abs, c.seen = date, c.elapsed
	c.compare(tolerance)
	return back
}

// showsABS returns what ABS's clock must show by now; zero where it was never seen.
func (c *clock) showsABS() time.Time {
	if c.abs.IsZero() {
		return c.abs
	}
	return c.abs.Add(c.elapsed - c.seen)
}

// compare compares the wall clock with ABS's.
func (c *clock) compare(tolerance time.Duration) {
	difference := c.wall.Sub(c.showsABS())
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

// start returns when counting began, by the wall clock as it is now.
func (c *clock) start() time.Time { return c.wall.Add(-c.elapsed) }
