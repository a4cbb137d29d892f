package ledger

import "time"

// maxAuditSlots is how many slots one audit report covers at most.
const maxAuditSlots = 6

// Audit is a settled stretch of several slots, to be read again as one report and compared with
// what was counted from it (rule 10).
type Audit struct {
	Span
	slots []*slot
}

// DueAudit returns the oldest stretch that was not audited yet. ok is false where there is none of
// two slots at least whose report can be expected to be complete.
func (l *Ledger) DueAudit() (a Audit, ok bool) {
	var bytes int64
	for _, s := range l.slots {
		auditable := s.state == Settled && !s.audited && !s.baseline
		fits := len(a.slots) < maxAuditSlots && !l.c.ResponseCap.Splits(bytes+s.bytes)
		if n := len(a.slots); n > 0 && (!auditable || !fits || !a.To.Equal(s.From)) {
			if n >= 2 {
				return a, true
			}
			a.slots, bytes = nil, 0
		}
		if !auditable {
			continue
		}
		if len(a.slots) == 0 {
			a.From = s.From
		}
		a.To = s.To
		a.slots = append(a.slots, s)
		bytes += s.bytes
	}
	return a, len(a.slots) >= 2
}

// BeginAudit starts the reading of an audit. ApplyAudit or Discard must end it.
func (l *Ledger) BeginAudit(a Audit, began time.Time) *Reading {
	return l.Begin(Job{Span: a.Span, admitsNone: true}, began)
}

// SkipAudit leaves a stretch out whose report cannot be read.
func (l *Ledger) SkipAudit(a Audit) {
	for _, s := range a.slots {
		s.audited = true
	}
}

// ApplyAudit returns how many requests more than counted ABS has of the stretch now, and ends the
// reading. A surplus is counted under Other, so that no audit finds it again; what is missing was
// taken back by ABS, and nothing is.
func (l *Ledger) ApplyAudit(r *Reading, a Audit) (difference int64) {
	defer l.Discard(r)
	l.finish(r)
	for i := range r.tracked {
		r.leave(i)
	}
	var counted counts
	for _, s := range a.slots {
		counted.move(&s.total, 1)
		s.audited = true
	}
	difference = r.total - counted.total
	if surplus := max(0, difference); surplus > 0 {
		last := a.slots[len(a.slots)-1]
		l.total.total.Value += surplus
		last.total.total += surplus
		l.shareOther(&counted, &r.other, surplus)
		l.addGains(last)
	}
	return difference
}
