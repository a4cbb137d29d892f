package ledger

import "time"

// maxAuditSlots is how many slots one audit report covers at most.
const maxAuditSlots = 6

// Audit is a settled stretch of several slots, to be read again as one report, seams
// included, and held against what was counted of it (rule 10).
type Audit struct {
	Span
	slots []*slot
}

// DueAudit gives the oldest stretch that was not audited yet. ok is false where there is
// none of two slots at least whose report ABS can be expected to give whole.
func (l *Ledger) DueAudit() (a Audit, ok bool) {
	var bytes int64
	for _, s := range l.slots {
		if s.state != Settled || s.audited || s.baseline {
			if len(a.slots) >= 2 {
				return a, true
			}
			a.slots, bytes = nil, 0
			continue
		}
		tooLong := l.c.ResponseCap > 0 && bytes+s.bytes > l.c.ResponseCap/5*4
		apart := len(a.slots) > 0 && !a.To.Equal(s.From)
		if tooLong || apart || len(a.slots) == maxAuditSlots {
			if len(a.slots) >= 2 {
				return a, true
			}
			a.slots, bytes = nil, 0
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

// BeginAudit starts the reading of an audit. ApplyAudit or Drop must end it.
func (l *Ledger) BeginAudit(a Audit, began time.Time) *Reading {
	return l.Begin(Job{Span: a.Span, quiet: true}, began)
}

// SkipAudit leaves a stretch out whose report cannot be had.
func (l *Ledger) SkipAudit(a Audit) {
	for _, s := range a.slots {
		s.audited = true
	}
}

// ApplyAudit gives how much more ABS tells of the stretch now than was counted. A
// surplus is counted, under Other, so that no audit finds it again; what is missing was
// taken back by ABS, and nothing is.
func (r *Reading) ApplyAudit(a Audit) (difference int64) {
	defer r.Discard()
	l := r.l
	r.gather()
	for _, place := range l.places {
		r.rest.move(&r.told[place], 1)
	}
	var counted vector
	for _, s := range a.slots {
		counted.move(&s.counted, 1)
		s.audited = true
	}
	difference = r.total - counted.total
	if surplus := max(0, difference); surplus > 0 {
		l.whole.total.Value += surplus
		last := a.slots[len(a.slots)-1]
		last.counted.total += surplus
		l.share(&l.other, &counted, &r.rest, surplus)
		l.total(last)
	}
	return difference
}
