package abs

import "time"

// Window is the time that a report covers: full minutes, From included, To not, whatever later_date
// means to ABS (Config.WindowEnd).
type Window struct{ From, To time.Time }

// WindowUntil returns the window of the given length whose last minute is the last whole one before
// now: no request is for the future. Both ends keep the location of now.
func WindowUntil(now time.Time, length time.Duration) Window {
	to := now.Truncate(time.Minute)
	return Window{From: to.Add(-length).Truncate(time.Minute), To: to}
}

// queryLayout is the layout of dates in requests: ABS's wall clock, to the minute, without a zone.
const queryLayout = "2006-01-02T15:04"
