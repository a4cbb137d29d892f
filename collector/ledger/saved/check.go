package saved

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// mostAhead is how far past the last Advance, or past ABS's clock then, the next slot begins at
// most: slots are a day long at most, and longer by a clock change.
const mostAhead = 3 * 24 * time.Hour

func contradiction(format string, args ...any) error {
	return fmt.Errorf("%w: %s", counts.ErrState, fmt.Sprintf(format, args...))
}

// Check returns why a state cannot be one that a ledger saved; nil if it may be. A ledger can
// continue from any state that passes: counts are added without overflow, and the number and length
// of the slots are those that the clock makes.
func (s *State) Check() error {
	ahead := s.Next.Sub(s.Wall) > mostAhead && s.Next.Sub(s.ABS) > mostAhead
	if !wholeMinutes(s.Next) || s.Next.IsZero() != s.Wall.IsZero() || s.Next.Before(s.Wall) || ahead {
		return contradiction("the next slot begins at %v, and it was saved at %v", s.Next, s.Wall)
	}
	if s.Clock < 0 || s.Elapsed < 0 {
		return contradiction("time runs backwards")
	}
	for name, c := range s.Health {
		if c.Value < 0 || c.Value > metrics.MaxCount {
			return contradiction("%q is %d", name, c.Value)
		}
	}
	for _, names := range s.Labels {
		for i := range names {
			if v := &names[i]; !utf8.ValidString(v.Name) || !utf8.ValidString(v.Full) {
				return contradiction("a label value is no text")
			}
		}
	}
	var end time.Time
	for i := range s.Slots {
		v := &s.Slots[i]
		if v.From.Before(end) || !v.From.Before(v.To) || v.To.After(s.Next) || !wholeMinutes(v.From) || !wholeMinutes(v.To) {
			return contradiction("a slot from %v to %v", v.From, v.To)
		}
		end = v.To
		if err := v.check(); err != nil {
			return err
		}
	}
	return nil
}

func wholeMinutes(t time.Time) bool { return t.Equal(t.Truncate(time.Minute)) }

func (v *SlotRecord) check() error {
	switch v.State {
	case Open, Settled, Unproven, Missed:
	default:
		return contradiction("a slot is %q", v.State)
	}
	if (v.State == Open) != (len(v.Spans) > 0) {
		return contradiction("a slot is %q and has %d spans", v.State, len(v.Spans))
	}
	if v.Largest < 0 || v.Bytes < 0 {
		return contradiction("a report of %d bytes", v.Bytes)
	}
	from := v.From
	for _, at := range v.Cuts {
		if !from.Before(at) || !at.Before(v.To) || !wholeMinutes(at) {
			return contradiction("a slot is cut at %v", at)
		}
		from = at
	}
	from = v.From
	for i := range v.Spans {
		sp := &v.Spans[i]
		if !sp.From.Equal(from) || !from.Before(sp.To) || !wholeMinutes(sp.To) {
			return contradiction("a span from %v to %v", sp.From, sp.To)
		}
		from = sp.To
	}
	if len(v.Spans) > 0 && !from.Equal(v.To) {
		return contradiction("the spans of a slot end at %v", from)
	}
	return nil
}
