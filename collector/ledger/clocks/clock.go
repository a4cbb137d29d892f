package clocks

import "time"

// Clock is what the ledger knows of time: the wall clock as of the last Advance, a time of its own
// that no step of the wall clock moves, and ABS's clock.
type Clock struct {
	wall    time.Time     // as of the last Advance; zero before the first
	elapsed time.Duration // since the first Advance ever, with the time that no process ran
	running bool          // this process advanced it before
	guessed bool          // elapsed has the time that no process ran, by the wall clock
	abs     time.Time     // ABS's Date, as it was last seen; zero: never
	seen    time.Duration // elapsed, then
	apart   time.Duration // elapsed, when the wall clock began to disagree with ABS's; 0: it agrees
}

// Restored returns a clock as another process left it. shown is what ABS's clock showed then; zero
// where that is not known.
func Restored(wall time.Time, elapsed time.Duration, shown time.Time) Clock {
	return Clock{wall: wall, elapsed: elapsed, abs: shown, seen: elapsed}
}

// Wall returns the wall clock as of the last Advance; zero before the first.
func (c *Clock) Wall() time.Time { return c.wall }

// Elapsed returns the time since the first Advance ever, with the time that no process ran.
func (c *Clock) Elapsed() time.Duration { return c.elapsed }

// Advance moves the clock. The first call after Restored ignores elapsed and computes it: the time
// since the saved wall clock or, if the wall clock was set back since, the time since ABS's clock.
// It reports whether the wall clock was set back.
func (c *Clock) Advance(now time.Time, elapsed time.Duration, tolerance time.Duration) (back bool) {
	back = now.Before(c.wall)
	switch {
	case c.running:
	case c.wall.IsZero():
		elapsed = 0
	case back && !c.abs.IsZero():
		elapsed = max(0, now.Sub(c.ShowsABS()))
	default:
		elapsed = max(0, now.Sub(c.wall))
	}
	c.elapsed += elapsed
	c.guessed = c.guessed || !c.running && !c.wall.IsZero()
	c.wall, c.running = now, true
	c.compare(tolerance)
	return back
}

// SawABS records ABS's clock. The first call in a process corrects how long no process ran, since
// the wall clock may be or may have been ahead. It reports whether it had been ahead, and so was
// set back while no process ran.
func (c *Clock) SawABS(date time.Time, tolerance time.Duration) (back bool) {
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

// ShowsABS returns what ABS's clock must show by now; zero where it was never seen.
func (c *Clock) ShowsABS() time.Time {
	if c.abs.IsZero() {
		return c.abs
	}
	return c.abs.Add(c.elapsed - c.seen)
}

// compare compares the wall clock with ABS's.
func (c *Clock) compare(tolerance time.Duration) {
	difference := c.wall.Sub(c.ShowsABS())
	switch {
	case c.abs.IsZero(), difference.Abs() <= tolerance:
		c.apart = 0
	case c.apart == 0:
		c.apart = max(1, c.elapsed)
	}
}

// Trusted reports whether the wall clock agrees with ABS's, as far as that is known. A clock that
// disagrees for longer than limit is trusted again: then ABS's is taken to be wrong.
func (c *Clock) Trusted(limit time.Duration) bool {
	return c.apart == 0 || c.elapsed-c.apart > limit
}

// Start returns when counting began, by the wall clock as it is now.
func (c *Clock) Start() time.Time { return c.wall.Add(-c.elapsed) }
