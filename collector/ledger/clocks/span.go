package clocks

import "time"

// Span is a stretch of time in whole minutes: From is included, To is not.
type Span struct{ From, To time.Time }

// Minutes returns the span's length in minutes.
func (s Span) Minutes() int { return int(s.To.Sub(s.From) / time.Minute) }

// Zone knows which instants ABS's wall clock names unambiguously. Where clocks are turned back, an
// hour of wall-clock times occurs twice: a window that begins or ends in it may mean either pass.
type Zone struct {
	Location *time.Location
	// Inclusive says that the bound sent for the end of a window is the minute before it, which
	// must then be unambiguous too.
	Inclusive bool
}

// Unambiguous reports whether a window may begin and end at t.
func (z Zone) Unambiguous(t time.Time) bool {
	return !z.ambiguous(t) && (!z.Inclusive || !z.ambiguous(t.Add(-time.Minute)))
}

// Certain reports whether ABS's wall clock names both ends of a span without ambiguity. Otherwise
// its report may be that of another span.
func (z Zone) Certain(s Span) bool { return z.Unambiguous(s.From) && z.Unambiguous(s.To) }

// ambiguous reports whether the wall-clock time of t occurs at another instant too.
func (z Zone) ambiguous(t time.Time) bool {
	local := t.In(z.Location)
	_, offset := local.Zone()
	_, end := local.ZoneBounds()
	if !end.IsZero() {
		_, after := end.Zone()
		if !t.Before(end.Add(-time.Duration(offset-after) * time.Second)) {
			return true
		}
	}
	return z.Repeated(t)
}

// Repeated reports whether the wall-clock time of t occurred before.
func (z Zone) Repeated(t time.Time) bool {
	local := t.In(z.Location)
	_, offset := local.Zone()
	start, _ := local.ZoneBounds()
	if start.IsZero() {
		return false
	}
	_, before := start.Add(-time.Nanosecond).Zone()
	return t.Before(start.Add(time.Duration(before-offset) * time.Second))
}

// EndRepeated reports whether the bound that is sent for a window ending at t occurred before.
func (z Zone) EndRepeated(t time.Time) bool {
	return z.Repeated(t) || z.Inclusive && z.Repeated(t.Add(-time.Minute))
}

// Slot returns the slot that t lies in: a multiple of length on the clock, merged with its
// neighbours until both ends are unambiguous.
func (z Zone) Slot(t time.Time, length time.Duration) Span {
	s := Span{From: t.Truncate(length)}
	s.To = s.From.Add(length)
	for !z.Unambiguous(s.From) {
		s.From = s.From.Add(-length)
	}
	for !z.Unambiguous(s.To) {
		s.To = s.To.Add(length)
	}
	return s
}

// FirstUnambiguous returns the first minute at or after t that a window may begin at; limit where
// there is none before it.
func (z Zone) FirstUnambiguous(t, limit time.Time) time.Time {
	for t.Before(limit) && !z.Unambiguous(t) {
		t = t.Add(time.Minute)
	}
	if t.After(limit) {
		return limit
	}
	return t
}

// Middle returns where a span is split in two: the unambiguous minute nearest to its middle; ok is
// false where there is none inside.
func (z Zone) Middle(s Span) (at time.Time, ok bool) {
	middle := s.From.Add(s.To.Sub(s.From) / 2).Truncate(time.Minute)
	for d := time.Duration(0); ; d += time.Minute {
		early, late := middle.Add(-d), middle.Add(d)
		earlyInside, lateInside := early.After(s.From), late.Before(s.To) && late.After(s.From)
		switch {
		case earlyInside && z.Unambiguous(early):
			return early, true
		case lateInside && z.Unambiguous(late):
			return late, true
		case !earlyInside && !late.Before(s.To):
			return time.Time{}, false
		}
	}
}
