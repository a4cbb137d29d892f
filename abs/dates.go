package abs

import (
	"strconv"
	"strings"
	"time"
)

// queryLayout is the layout of dates in requests: ABS's wall clock, to the minute, without a zone.
const queryLayout = "2006-01-02T15:04"

// parseDate reads a date as ABS's reports have it, "Tue Feb 13 18:00:00:000 2018", in the wall
// clock of loc. The weekday is ignored: it is wrong in published reports. A date that cannot be
// parsed is the zero time, because nothing is counted by these dates.
func parseDate(text string, loc *time.Location) time.Time {
	f := strings.Fields(text)
	if len(f) != 5 {
		return time.Time{}
	}
	clock, fraction := f[3], time.Duration(0)
	if strings.Count(clock, ":") == 3 {
		// time.Parse knows no fraction after a colon.
		i := strings.LastIndexByte(clock, ':')
		ms, err := strconv.ParseUint(clock[i+1:], 10, 16)
		if err != nil || ms > 999 {
			return time.Time{}
		}
		clock, fraction = clock[:i], time.Duration(ms)*time.Millisecond
	}
	t, err := time.ParseInLocation("Jan 2 15:04:05 2006", f[1]+" "+f[2]+" "+clock+" "+f[4], loc)
	if err != nil {
		return time.Time{}
	}
	return t.Add(fraction)
}

// date reads a date of a report. A value that is not a string is ignored, as if it were absent.
func (r *reportReader) date(loc *time.Location) time.Time {
	if r.peek() != '"' {
		r.skip(1)
		return time.Time{}
	}
	return parseDate(string(r.str()), loc)
}
