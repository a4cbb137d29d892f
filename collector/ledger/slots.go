package ledger

import (
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// SlotState is how far a slot is.
type SlotState string

// The states. A pending slot is one that ended and was not read since: what a pause left to be
// read.
const (
	Open    SlotState = metrics.SlotOpen
	Pending SlotState = metrics.SlotPending
	Settled SlotState = "settled"
	Missed  SlotState = "missed"
)

// doneSlots is how many settled or missed slots are kept for people to see, at least;
// Config.Keep may ask for more, for the audit.
const doneSlots = 12

// slot is a stretch of the clock that the counters are fed from.
type slot struct {
	Span
	state SlotState
	total counts // counted from it, over all tokens
	read  time.Time

	spans   []slotSpan  // one, until it is split; none once it is done
	counted tokenCounts // counted from it, baseline included
	// reported is the sum of the last readings of the spans of a split slot (rule 4).
	reported tokenCounts

	largest    int64       // the longest report of its settled spans, in bytes
	bytes      int64       // of the last reports of its settled spans together
	baseline   bool        // some of what it held at the start is not counted
	withoutIPs bool        // it was counted from when IPs were not, and so goes on without them
	cuts       []time.Time // between its spans, once it is done
	audit      SlotAudit
}

// slotSpan is what one report of a slot covers.
type slotSpan struct {
	Span
	read     time.Time // when its last successful reading began
	reading  uint64    // its number; of a half, that of what was split
	failed   bool      // the last reading did
	timeouts int       // in a row
	settled  bool      // it is not read again

	tooMuch   Span // what is to be halved before the next reading; empty: nothing
	keepWhole bool // not to be split for its summary: that brought no more rows
	probing   probing

	baseline     bool         // its first reading is not counted (rule 8)
	otherCounted bool         // requests of it may have been counted under other (rule 2)
	last         *tokenCounts // its last reading where the slot is split; nil: not read since
}

// Advance opens the slots that have begun by now and closes those that are too old. The first one
// of a ledger without state sets where counting begins.
func (l *Ledger) Advance(now time.Time) {
	l.staging.blocks = nil
	next := &l.schedule.next
	if next.IsZero() {
		l.begin(now)
	}
	if next.Sub(now) > 2*l.c.Slot+mergedAtMost {
		l.rewind(now)
	}
	for next.Before(now) {
		span := l.c.Zone.Slot(*next, l.c.Slot)
		span.From = *next
		*next = span.To
		l.open(span, false, false)
	}
	for _, s := range l.slots {
		if s.state == Open && now.Sub(s.To) > l.c.MaxBackfill {
			l.health.missed.Value++
			s.close(Missed)
		}
	}
	l.prune()
	l.expire()
}

// mergedAtMost is how much longer than others a slot is that touches a repeated hour.
const mergedAtMost = 3 * time.Hour

// rewind removes the slots of a future that a clock which ran ahead had opened, as far as nothing
// was counted from them.
func (l *Ledger) rewind(now time.Time) {
	sc := &l.schedule
	sc.next = l.c.Zone.Slot(now, l.c.Slot).From
	l.slots = slices.DeleteFunc(l.slots, func(s *slot) bool { return !s.From.Before(sc.next) && s.total.total == 0 })
	for _, s := range l.slots {
		if s.To.After(sc.next) {
			sc.next = s.To
		}
	}
	if sc.newest.After(now) {
		sc.newest = time.Time{}
	}
}

// begin opens the slots that may still fill up. What they hold already is counted only as far as it
// lies in the look-back: where that begins inside a slot, two slots take its place (rule 8).
func (l *Ledger) begin(now time.Time) {
	next := &l.schedule.next
	from := now.Add(-l.c.Lookback).Truncate(time.Minute)
	first := from
	if settling := now.Add(-l.c.Settle); settling.Before(from) {
		first = settling
	}
	for *next = l.c.Zone.Slot(first, l.c.Slot).From; next.Before(now); {
		span := l.c.Zone.Slot(*next, l.c.Slot)
		*next = span.To
		if !from.After(span.From) {
			l.open(span, false, false)
			continue
		}
		at := l.c.Zone.firstUnambiguous(from, span.To)
		if now.Sub(span.To) < l.c.Settle {
			l.open(Span{span.From, at}, true, true)
		}
		if at.Before(span.To) {
			l.open(Span{at, span.To}, false, true)
		}
	}
}

// open adds a slot, split beforehand as the last ones had to be. baseline: its first reading is;
// cut: it is not all of a slot on the clock.
func (l *Ledger) open(span Span, baseline, cut bool) {
	s := &slot{Span: span, state: Open, baseline: baseline || cut}
	for from := span.From; from.Before(span.To); {
		to := l.c.Zone.firstUnambiguous(from.Add(l.schedule.length), span.To)
		s.spans = append(s.spans, slotSpan{Span: Span{from, to}, baseline: baseline})
		from = to
	}
	l.slots = append(l.slots, s)
}

func (s *slot) close(state SlotState) {
	s.state = state
	for i := range s.spans[:max(0, len(s.spans)-1)] {
		s.cuts = append(s.cuts, s.spans[i].To)
	}
	s.spans, s.counted, s.reported = nil, tokenCounts{}, tokenCounts{}
}

// prune removes the oldest slots that are done and that neither people nor the audit want any more.
func (l *Ledger) prune() {
	done := 0
	for _, s := range l.slots {
		if s.state != Open {
			done++
		}
	}
	keep := max(doneSlots, int(l.c.Keep/l.c.Slot))
	l.slots = slices.DeleteFunc(l.slots, func(s *slot) bool {
		if s.state != Open && done > keep {
			done--
			return true
		}
		return false
	})
}

// finishReading records a reading of a span that was counted.
func (l *Ledger) finishReading(s *slot, sp *slotSpan, began time.Time, bytes int64, settled bool) {
	if began.After(s.read) {
		s.read = began
	}
	sp.read, sp.reading, sp.failed, sp.timeouts, sp.settled = began, l.readings, false, 0, settled
	l.wasRead(sp, began, bytes)
	if !settled {
		return
	}
	s.largest = max(s.largest, bytes)
	s.bytes += bytes
	if slices.ContainsFunc(s.spans, func(sp slotSpan) bool { return !sp.settled }) {
		return
	}
	s.close(Settled)
	l.growSpans(s.largest)
	l.prune()
}

// SlotView is a slot as people see it.
type SlotView struct {
	Span
	State    SlotState
	Requests int64     // counted from it
	Read     time.Time // when its last successful reading began
}

// Slots returns the slots, oldest first.
func (l *Ledger) Slots(now time.Time) []SlotView {
	views := make([]SlotView, 0, len(l.slots))
	for _, s := range l.slots {
		v := SlotView{Span: s.Span, State: s.state, Requests: s.total.total, Read: s.read}
		if s.state == Open && l.pending(s, now) {
			v.State = Pending
		}
		views = append(views, v)
	}
	return views
}

// pending reports whether a slot should have been read since its end and was not. One that has just
// ended is read again like all others.
func (l *Ledger) pending(s *slot, now time.Time) bool {
	return !now.Before(s.To.Add(l.c.Reread)) &&
		slices.ContainsFunc(s.spans, func(sp slotSpan) bool { return sp.read.Before(sp.To) })
}
