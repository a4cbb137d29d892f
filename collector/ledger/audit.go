package ledger

import (
	"iter"
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/ledger/audit"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
)

// stretchSlots is how many slots a stretch of the audit covers at most: stretches are aligned to
// the clock, at multiples of so many slots, so that each audit reads the same ones.
const stretchSlots = 4

// Audit is what an audit reads next, to be compared with what was counted (rule 10): a settled
// slot, or a stretch of slots that were just read, for what lies at the seams between them.
type Audit struct {
	Span
	Reports []Span // that it is read in
	slots   []*slot
	stretch *slot // the first slot of the stretch, which has the audit.Slot of its seams
}

// Seams reports whether it is about a stretch of slots.
func (a *Audit) Seams() bool { return len(a.slots) > 1 }

// Difference is what audits found, both signs apart.
type Difference = audit.Difference

// StartAudit reports whether an audit is to be continued or begun. next is when the one after now
// is to begin.
func (l *Ledger) StartAudit(now, next time.Time) bool { return l.audit.Start(now, next) }

// EndAudit ends the audit once nothing is due. It returns how many reports were compared.
func (l *Ledger) EndAudit() (reports int) { return l.audit.End() }

// LastAudit returns what the last audit found; ok is false where there was none.
func (l *Ledger) LastAudit() (found Difference, ok bool) { return l.audit.Last, l.audit.Ended }

// DueAudit returns what the audit reads next. A slot that an audit read is read again by one that
// began at least apart after it.
func (l *Ledger) DueAudit(apart time.Duration) (a Audit, ok bool) {
	for stretch := range l.stretches() {
		seams := len(stretch) > 1
		for _, s := range stretch {
			if l.audit.Due(&s.audit, apart) {
				return Audit{Span: s.Span, Reports: s.reports(), slots: []*slot{s}, stretch: stretch[0]}, true
			}
			seams = seams && l.audit.HasRead(&s.audit)
		}
		if first := stretch[0]; seams && l.audit.SeamsDue(&first.audit, apart) {
			span := Span{From: first.From, To: stretch[len(stretch)-1].To}
			return Audit{Span: span, Reports: []Span{span}, slots: stretch, stretch: first}, true
		}
	}
	return a, false
}

// stretches returns the stretches of the clock of which all slots are settled: those without the
// slots that cannot be audited, and that can be expected to be read as one report.
func (l *Ledger) stretches() iter.Seq[[]*slot] {
	length := stretchSlots * l.c.Slot
	return func(yield func([]*slot) bool) {
		for i := 0; i < len(l.slots); {
			begins := l.slots[i].From.Truncate(length)
			n := slices.IndexFunc(l.slots[i:], func(s *slot) bool { return !s.From.Truncate(length).Equal(begins) })
			if n < 0 {
				n = len(l.slots) - i
			}
			all := l.slots[i : i+n]
			i += n
			ended := i < len(l.slots) || !all[n-1].To.Before(begins.Add(length))
			if !ended || slices.ContainsFunc(all, func(s *slot) bool { return s.state == Open }) {
				continue
			}
			for len(all) > 0 {
				n := l.together(all)
				if n > 0 && !yield(all[:n:n]) {
					return
				}
				all = all[max(1, n):]
			}
		}
	}
}

// together returns how many slots from the first on make a stretch.
func (l *Ledger) together(all []*slot) (n int) {
	var bytes int64
	for _, s := range all {
		bytes += s.bytes
		if s.state == Missed || s.baseline || n > 0 && (!s.From.Equal(all[n-1].To) || !l.fits(bytes)) {
			break
		}
		n++
	}
	return n
}

// fits reports whether a report of so many bytes can be expected to be answered.
func (l *Ledger) fits(bytes int64) bool {
	p := &l.schedule.probes
	return !l.c.ResponseCap.Splits(bytes) && (p.length == 0 || bytes <= p.proven)
}

// reports returns the spans that a settled slot was last read in.
func (s *slot) reports() []Span {
	spans := make([]Span, 0, len(s.cuts)+1)
	from := s.From
	for _, to := range append(slices.Clone(s.cuts), s.To) {
		spans = append(spans, Span{From: from, To: to})
		from = to
	}
	return spans
}

// BeginAudit starts the reading of an audit, which may take several reports. ApplyAudit or Discard
// must end it.
func (l *Ledger) BeginAudit(a Audit, began time.Time) *Reading {
	return l.Begin(Job{Span: a.Span, admitsNone: true}, began)
}

// SkipAudit leaves out what cannot be read: of this audit, or for good.
func (l *Ledger) SkipAudit(a Audit, forGood bool) {
	if a.Seams() {
		l.audit.SkipSeams(&a.stretch.audit, forGood)
	} else {
		l.audit.Skip(&a.slots[0].audit, forGood)
	}
}

// ApplyAudit ends the reading and returns how it differs from what was counted. Missing requests
// are counted under Other, so that no later audit finds them again. A surplus changes no counter,
// as counters never fall.
func (l *Ledger) ApplyAudit(r *Reading, a Audit) (found Difference) {
	defer l.Discard(r)
	r.finish()
	r.settle()
	for i := range r.Tracked {
		r.Leave(i)
	}
	found = l.audit.Record(l.compare(a, r.Total))
	if found.Missing > 0 {
		var counted counts.Counts
		for _, s := range a.slots {
			counted.Move(&s.total, 1)
		}
		counted.Total = r.Total - found.Missing
		l.total.Total.Value += found.Missing
		l.shareOther(&counted, &r.Other, found.Missing)
		l.overflow(r, &slotSpan{}, l.addGains(a.slots[len(a.slots)-1]))
	}
	return found
}

// compare returns what ABS reports less what was counted, and takes that as counted where it is
// more.
func (l *Ledger) compare(a Audit, reported int64) (difference int64) {
	if a.Seams() {
		ofSlots := int64(0)
		for _, s := range a.slots {
			ofSlots += s.audit.Reported
		}
		return l.audit.CompareSeams(&a.stretch.audit, ofSlots, reported)
	}
	s := a.slots[0]
	difference = l.audit.Compare(&s.audit, &a.stretch.audit, s.total.Total, reported)
	s.total.Total = max(s.total.Total, reported)
	return difference
}
