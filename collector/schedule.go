package collector

import "time"

// nextCycle returns the first instant of the clock's grid after t. All exporters of one
// interval ask at the same instants, whenever they were started.
func nextCycle(t time.Time, interval time.Duration) time.Time {
	return t.Truncate(interval).Add(interval)
}

// wait returns how long to wait at now for the cycle after the one that began at began. A
// cycle that ends with the interval, as forensics may take all of it, is followed at
// once; one that takes longer leaves out the instants that it covers.
func wait(began, now time.Time, interval time.Duration) time.Duration {
	next := nextCycle(began, interval)
	switch late := now.Sub(next); {
	case late <= 0:
		return min(-late, interval) // the clock may have been set back in between
	case late < interval/4:
		return 0
	default:
		return nextCycle(now, interval).Sub(now)
	}
}

// reread returns the age from which a reading is repeated. Cycles begin a little after the instants
// of the grid, sometimes more and sometimes less, and readings later still. Half an interval is
// subtracted; otherwise a reading that is due could be a moment too young and wait a whole cycle.
func (o *Options) reread() time.Duration { return o.Reread - o.Interval/2 }

// elapsed returns the time between the beginnings of two cycles, for the age of slots. A time.Time
// knows it whatever the clock was set to meanwhile, but not on every system, and not across a
// suspension: what is longer than cycles are counts as one interval.
func elapsed(last, now time.Time, o *Options) time.Duration {
	d := now.Sub(last)
	if last.IsZero() || d < 0 || d > max(2*o.Interval, o.Slot/2) {
		return o.Interval
	}
	return d
}
