package ledger

import (
	"errors"
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
)

// ResponseCap is the length in bytes that ABS limits its reports to; 0: unknown.
type ResponseCap int64

// Splits reports whether what a report covers is to be requested in halves: four fifths.
func (c ResponseCap) Splits(bytes int64) bool { return c > 0 && bytes >= int64(c/5*4) }

// Merges reports whether two reports of this length are short enough to be requested as one: a
// fifth.
func (c ResponseCap) Merges(bytes int64) bool { return bytes < int64(c/5) }

// Refusal is why a report could not be read, as far as it matters to what is requested next.
type Refusal int

// The refusals.
const (
	Unavailable Refusal = iota // whatever the length of the window
	ServerError                // status 500: may depend on the length, and is probed for it
	TooLarge                   // refused as too large, or the body ended early
	TimedOut
)

// internalServerError is the status; net/http is no import of a pure package.
const internalServerError = 500

// RefusalOf returns whether a shorter window might be read where a report failed.
func RefusalOf(err error) Refusal {
	var e *abs.Error
	if !errors.As(err, &e) {
		return Unavailable
	}
	switch {
	case e.TooLong():
		return TooLarge
	case e.Status == internalServerError:
		return ServerError
	case e.Reason == abs.ReasonTimeout:
		return TimedOut
	default:
		return Unavailable
	}
}

// Failed records that the reading of a job failed, which changes no count. It returns false when
// the window ought to be split but is too short.
func (l *Ledger) Failed(j Job, why Refusal) bool {
	sp := j.span()
	if sp == nil {
		return true
	}
	sp.failed, sp.tried = true, l.clock.Wall()
	if why == ServerError {
		sp.probing.refused = true
		return true
	}
	sp.probing = probing{failures: sp.probing.failures}
	if why == TimedOut {
		sp.timeouts++
	}
	// One halving a cycle, and none for a single time-out: a slow ABS is not to be asked more for
	// being slow.
	if why == Unavailable || why == TimedOut && (sp.timeouts < 2 || l.schedule.timeoutSplit) {
		return true
	}
	if _, ok := l.c.Zone.Middle(j.Span); !ok {
		return false
	}
	l.schedule.timeoutSplit = l.schedule.timeoutSplit || why == TimedOut
	sp.tooMuch = j.Span
	return true
}

// Halves returns the two jobs that a job would be split into; ok is false where it is too short.
// Nothing is split yet.
func (l *Ledger) Halves(j Job) (halves [2]Job, ok bool) {
	sp := j.span()
	at, ok := l.c.Zone.Middle(j.Span)
	if sp == nil || !ok {
		return halves, false
	}
	early, late := j, j
	early.Span, early.of, early.admitsNone = Span{From: j.From, To: at}, Span{From: sp.From, To: at}, true
	late.Span, late.of = Span{From: at, To: j.To}, Span{From: at, To: sp.To}
	return [2]Job{early, late}, true
}

// Split splits what a job reads into its Halves.
func (l *Ledger) Split(j Job) {
	j.span().tooMuch = j.Span
	l.split(j.slot)
}

func (l *Ledger) splitMarked() {
	l.schedule.timeoutSplit = false
	for _, s := range l.slots {
		l.split(s)
	}
}

// split halves the marked spans of a slot. Their halves report nothing until they are read; what
// was counted from the slot stays (rule 4).
func (l *Ledger) split(s *slot) {
	for i := 0; i < len(s.spans); i++ {
		sp := &s.spans[i]
		span := sp.tooMuch // of a slot that has not ended, only what was requested
		sp.tooMuch = Span{}
		at, ok := l.c.Zone.Middle(span)
		if !ok {
			continue
		}
		s.cut(i, at)
		i++
		l.openShorter(min(at.Sub(span.From), span.To.Sub(at)))
	}
}

// cut splits a span of a slot at the given times.
func (s *slot) cut(i int, at ...time.Time) {
	sp := s.spans[i]
	if sp.last != nil {
		s.reported.Move(sp.last, -1)
	}
	parts := make([]slotSpan, 0, len(at)+1)
	from := sp.From
	for _, to := range append(at, sp.To) {
		parts = append(parts, slotSpan{
			Span: Span{From: from, To: to}, reading: sp.reading, baseline: sp.baseline, otherCounted: sp.otherCounted,
		})
		from = to
	}
	s.spans = slices.Replace(s.spans, i, i+1, parts...)
}

// openShorter lets new slots be read in spans of a length, but shorter by a half at most: what was
// split may have been a few minutes of a slot that has not ended, in a bad moment of ABS.
func (l *Ledger) openShorter(than time.Duration) {
	length := &l.schedule.length
	*length = max(time.Minute, *length/2, min(*length, than)).Truncate(time.Minute)
}

// growSpans lets new slots be read in longer spans again once the spans of a whole slot were short
// enough for two to be requested as one.
func (l *Ledger) growSpans(largest int64) {
	if l.Merges(largest) {
		l.schedule.length = min(2*l.schedule.length, l.c.Slot)
	}
}
