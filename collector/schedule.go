package collector

import "time"

// nextCycle is the first instant of the clock's grid after now. All exporters of one
// interval ask at the same instants, whenever they were started; a cycle that takes
// longer than the interval leaves out the instants that it covers.
func nextCycle(now time.Time, interval time.Duration) time.Time {
	return now.Truncate(interval).Add(interval)
}

// reread is the age from which a reading is made again. Cycles begin a little after the
// instants of the grid, sometimes more and sometimes less, and readings later still: half
// an interval is taken off, or what is due at an instant would miss it by a moment and
// wait for the next.
func (o *Options) reread() time.Duration { return o.Reread - o.Interval/2 }
