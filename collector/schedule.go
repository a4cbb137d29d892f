package collector

import "time"

// nextCycle is the first instant of the clock's grid after now. All exporters of one
// interval ask at the same instants, whenever they were started; a cycle that takes
// longer than the interval leaves out the instants that it covers.
func nextCycle(now time.Time, interval time.Duration) time.Time {
	return now.Truncate(interval).Add(interval)
}
