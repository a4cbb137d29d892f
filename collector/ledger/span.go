package ledger

import "time"

// Span is a stretch of time: whole minutes, From included, To not.
type Span struct{ From, To time.Time }

// Minutes is the span's length.
func (s Span) Minutes() int { return int(s.To.Sub(s.From) / time.Minute) }

// Zone tells which instants ABS's wall clock names without doubt. Where clocks are
// turned back, an hour of wall-clock times occurs twice, and a window that begins or
// ends in it may mean either.
type Zone struct {
	Location *time.Location
	// Inclusive: the bound sent for the end is the minute before it, which then must
	// be beyond doubt too.
	Inclusive bool
}

// sure tells whether a window may begin and end at t.
func (z Zone) sure(t time.Time) bool {
	return !z.twice(t) && (!z.Inclusive || !z.twice(t.Add(-time.Minute)))
}

// twice tells whether the wall-clock time of t occurs at another instant too.
func (z Zone) twice(t time.Time) bool {
	local := t.In(z.Location)
	_, offset := local.Zone()
	_, end := local.ZoneBounds()
	if !end.IsZero() {
		_, after := end.Zone()
		if !t.Before(end.Add(-time.Duration(offset-after) * time.Second)) {
			return true
		}
	}
	return z.second(t)
}

// second tells whether the wall-clock time of t occurred before.
func (z Zone) second(t time.Time) bool {
	local := t.In(z.Location)
	_, offset := local.Zone()
	start, _ := local.ZoneBounds()
	if start.IsZero() {
		return false
	}
	_, before := start.Add(-time.Nanosecond).Zone()
	return t.Before(start.Add(time.Duration(before-offset) * time.Second))
}

// again tells whether a window that ends at t is asked for by a time that occurred before.
func (z Zone) again(t time.Time) bool {
	return z.second(t) || z.Inclusive && z.second(t.Add(-time.Minute))
}

// Slot is the slot that t lies in: a multiple of length on the clock, merged with its
// neighbours until both ends are beyond doubt.
func (z Zone) Slot(t time.Time, length time.Duration) Span {
	s := Span{From: t.Truncate(length)}
	s.To = s.From.Add(length)
	for !z.sure(s.From) {
		s.From = s.From.Add(-length)
	}
	for !z.sure(s.To) {
		s.To = s.To.Add(length)
	}
	return s
}

// after is the first minute at or after t, and not after limit, that a window may begin
// at; limit where there is none.
func (z Zone) after(t, limit time.Time) time.Time {
	for t.Before(limit) && !z.sure(t) {
		t = t.Add(time.Minute)
	}
	if t.After(limit) {
		return limit
	}
	return t
}

// halve is where to cut a span in two: the minute nearest to its middle that is beyond
// doubt; ok is false where there is none inside.
func (z Zone) halve(s Span) (at time.Time, ok bool) {
	middle := s.From.Add(s.To.Sub(s.From) / 2).Truncate(time.Minute)
	for d := time.Duration(0); ; d += time.Minute {
		early, late := middle.Add(-d), middle.Add(d)
		inEarly, inLate := early.After(s.From), late.Before(s.To) && late.After(s.From)
		switch {
		case inEarly && z.sure(early):
			return early, true
		case inLate && z.sure(late):
			return late, true
		case !inEarly && !late.Before(s.To):
			return time.Time{}, false
		}
	}
}
