package simulator

import (
	"errors"
	"time"
)

// span is a stretch of time in nanoseconds since 1970, without its end.
type span struct{ lo, hi int64 }

const (
	second     = int64(time.Second)
	minute     = int64(time.Minute)
	minuteForm = "2006-01-02T15:04"
)

// maxWindow bounds the window of one report, against typing errors.
const maxWindow = 5 * 366 * 24 * 60 * minute

var (
	errDate   = errors.New("dates are expected as yyyy-mm-ddThh:mm")
	errOrder  = errors.New("later_date lies before earlier_date")
	errWindow = errors.New("the window is longer than five years")
)

// wallTime is a date as it stands on a clock on the wall, without a zone.
type wallTime struct{ time.Time }

// parseWall reads the date of a query.
func parseWall(s string) (wallTime, error) {
	t, err := time.Parse(minuteForm, s)
	if err != nil || len(s) != len(minuteForm) {
		return wallTime{}, errDate
	}
	return wallTime{t}, nil
}

func wallOf(t time.Time, loc *time.Location) wallTime {
	l := t.In(loc)
	return wallTime{time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), l.Second(), l.Nanosecond(), time.UTC)}
}

// String returns the date as ABS's reports write it: a colon before the milliseconds (facts 2).
func (w wallTime) String() string {
	b := w.AppendFormat(nil, "Mon Jan 02 15:04:05.000 2006")
	b[len("Mon Jan 02 15:04:05")] = ':'
	return string(b)
}

// spans returns the time that ABS reads a window as: one stretch as a rule; two where it stores
// wall-clock times and the clock was set back between the bounds.
func (c *Config) spans(earlier, later wallTime) ([]span, error) {
	if later.Before(earlier.Time) {
		return nil, errOrder
	}
	lo, hi := earlier.UnixNano(), later.UnixNano()
	if later.Sub(earlier.Time) > time.Duration(maxWindow) || earlier.Year() < 1700 || later.Year() > 2200 {
		return nil, errWindow
	}
	if c.WallClock {
		if c.InclusiveEnd {
			hi += minute
		}
		return wallSpans(lo, hi, c.Location), nil
	}
	lo, hi = firstInstant(lo, c.Location), firstInstant(hi, c.Location)
	if c.InclusiveEnd {
		hi += minute
	}
	if hi <= lo {
		return nil, nil
	}
	return []span{{lo, hi}}, nil
}

// stretch is a time in which a zone has one offset from UTC, in nanoseconds.
type stretch struct {
	span
	offset int64
}

// offsetMax bounds the offsets of zones from UTC.
const offsetMax = 16 * 60 * minute

// stretches cuts a span at the changes of a zone's clock.
func stretches(s span, loc *time.Location) []stretch {
	var out []stretch
	for at := s.lo; at < s.hi; {
		t := time.Unix(0, at).In(loc)
		_, offset := t.Zone()
		_, end := t.ZoneBounds()
		hi := s.hi
		if !end.IsZero() && end.Before(time.Unix(0, hi)) {
			hi = end.UnixNano()
		}
		out = append(out, stretch{span{at, hi}, int64(offset) * second})
		at = hi
	}
	return out
}

// firstInstant is when a wall clock shows the time first. A time that the clock skips is read with
// the offset from before the change, as Java does.
func firstInstant(wall int64, loc *time.Location) int64 {
	all := stretches(span{wall - offsetMax, wall + offsetMax}, loc)
	for i, s := range all {
		at := wall - s.offset
		if at < s.hi || i == len(all)-1 {
			if at < s.lo && i > 0 { // skipped: after the last stretch's end, before this one's begin
				return wall - all[i-1].offset
			}
			return at
		}
	}
	return wall
}

// wallSpans is all the time at which a wall clock shows a time in [lo, hi).
func wallSpans(lo, hi int64, loc *time.Location) []span {
	var out []span
	for _, s := range stretches(span{lo - offsetMax, hi + offsetMax}, loc) {
		a, b := max(s.lo, lo-s.offset), min(s.hi, hi-s.offset)
		if a >= b {
			continue
		}
		if n := len(out); n > 0 && out[n-1].hi == a {
			out[n-1].hi = b
			continue
		}
		out = append(out, span{a, b})
	}
	return out
}
