package ledger

import (
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/ledger/audit"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/collector/ledger/saved"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// SlotState is how far a slot is.
type SlotState string

// The states. A pending slot is one that ended and was not read since: what a pause left to be
// read.
const (
	Open    SlotState = saved.Open
	Pending SlotState = metrics.SlotPending
	Settled SlotState = saved.Settled
	// Unproven slots were read since their end, but are too old to wait for what proves them.
	Unproven SlotState = saved.Unproven
	Missed   SlotState = saved.Missed
)

// doneSlots is how many slots that are done are kept for people to see, at least;
// SlotTimes.Keep may ask for more, for the audit.
const doneSlots = 12

// slot is a stretch of the clock that the counters are fed from.
type slot struct {
	Span
	state SlotState
	total counts.Counts // counted from it, over all tokens
	read  time.Time

	proven time.Time     // when the reading began that proved it (rule 3); zero: none did
	ended  time.Duration // the ledger's own time at its end

	spans   []slotSpan     // one, until it is split; none once it is done
	counted counts.ByToken // counted from it, baseline included
	// reported is the sum of the last readings of the spans of a split slot (rule 4).
	reported counts.ByToken

	largest  int64              // the longest report of its settled spans, in bytes
	bytes    int64              // of the last reports of its settled spans together
	baseline bool               // some of its requests were there at the start and are not counted (rule 8)
	without  []counts.Dimension // counting from it began without them, and so continues
	cuts     []time.Time        // between its spans, once it is done
	audit    audit.Slot
}

// slotSpan is what one report of a slot covers.
type slotSpan struct {
	Span
	read     time.Time // when its last successful reading began
	reading  uint64    // its number; of a half, that of what was split
	failed   bool      // the last reading did
	tried    time.Time // when the cycle began in which one failed last; not saved
	timeouts int       // in a row
	settled  bool      // it is not read again
	empty    bool      // its last successful reading was

	tooMuch Span // what is to be halved before the next reading; empty: nothing
	probing probing

	baseline     bool // its first reading is not counted (rule 8)
	otherCounted bool // requests of it may have been counted under other (rule 2)
	// notChosen is the most requests that a reading had of the values that are Other's by choice.
	notChosen [counts.NumDimensions]int64
	last      *counts.ByToken // its last reading where the slot is split; nil: not read since
}

// Advance opens the slots that have begun by now. elapsed is the time since the last Advance by a
// clock that is never set; the first one of a process ignores it. The first one of a ledger without
// state sets where counting begins. Close must follow the readings.
func (l *Ledger) Advance(now time.Time, elapsed time.Duration) {
	l.staging.blocks = nil
	wasTrusted := l.clock.Trusted(l.c.MaxBackfill)
	l.schedule.clockBack = l.clock.Advance(now, elapsed, l.c.tolerance()) || l.schedule.clockBack
	next := &l.schedule.next
	corrected := !wasTrusted && l.clock.Trusted(l.c.MaxBackfill)
	switch {
	case next.IsZero():
		l.begin(now.Add(-l.c.Lookback), now)
	case l.schedule.clockBack && l.clock.Trusted(l.c.MaxBackfill):
		l.rewind(now)
	case l.fresh && corrected && next.Before(l.clock.Start().Add(-l.c.Lookback-l.c.Settle-l.c.Slot)):
		// The clock was behind when counting began: what lies before the start is not counted.
		*next = time.Time{}
		l.begin(l.clock.Start().Add(-l.c.Lookback), now)
	}
	l.skip(now)
	for next.Before(now) {
		span := l.c.Zone.Slot(*next, l.c.Slot)
		span.From = *next
		*next = span.To
		l.open(span, false, false)
	}
	l.prune()
	l.expire()
	l.shrink()
}

// mostSlots is how many slots are opened at once, at least; Config.MaxBackfill may ask for more.
const mostSlots = 100_000

// skip passes over slots that are as many as a wrong clock makes, such as that of a machine which
// begins in 1970: they are too old to be read, and only counted as missed.
func (l *Ledger) skip(now time.Time) {
	next := &l.schedule.next
	if (now.Sub(*next)-l.c.MaxBackfill)/l.c.Slot <= mostSlots {
		return
	}
	from := l.c.Zone.Slot(now.Add(-l.c.MaxBackfill-l.c.Slot), l.c.Slot).From
	l.health.missed.Value += int64(from.Sub(*next) / l.c.Slot)
	*next = from
}

// tolerance is by how much the wall clock and ABS's may differ.
func (c *Config) tolerance() time.Duration { return max(c.Slot, twoBatches) }

// rewind follows a clock that was set back (rule 11). The slots after now go. So do, from the
// newest one on, those before it that nothing is known of; they are opened again, as is what lies
// between the start and the first one that is left.
func (l *Ledger) rewind(now time.Time) {
	sc := &l.schedule
	sc.clockBack = false
	l.slots = slices.DeleteFunc(l.slots, func(s *slot) bool { return !s.From.Before(now) })
	for n := len(l.slots); n > 0 && l.slots[n-1].blank(); n-- {
		l.slots = l.slots[:n-1]
	}
	for _, s := range l.slots {
		s.notAfter(now)
	}
	l.activity.notAfter(now)
	if sc.newest.After(now) {
		sc.newest = time.Time{}
	}
	start := l.clock.Start().Add(-l.c.Lookback)
	sc.next = time.Time{}
	switch {
	case len(l.slots) == 0 && l.fresh:
		l.begin(start, now)
	case len(l.slots) == 0:
		sc.next = l.c.Zone.Slot(now, l.c.Slot).From
	default:
		left := l.slots
		if first := left[0].From; l.fresh && start.Before(first) {
			l.slots = nil
			l.begin(start, first)
			l.slots = append(l.slots, left...)
		}
		sc.next = left[len(left)-1].To
	}
}

// blank reports whether nothing was ever reported of a slot that did not settle.
func (s *slot) blank() bool { return s.state != Settled && s.total.Total == 0 && s.counted.Total == 0 }

// notAfter corrects what was noted by a clock that ran ahead.
func (s *slot) notAfter(now time.Time) {
	s.read, s.proven = earlier(s.read, now), earlier(s.proven, now)
	for i := range s.spans {
		s.spans[i].read, s.spans[i].tried = earlier(s.spans[i].read, now), earlier(s.spans[i].tried, now)
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// begin opens the slots that may still fill up, as far as they lie before until. What they hold
// already is counted only as far as it lies after from: where that is inside a slot, two slots take
// its place (rule 8).
func (l *Ledger) begin(from, until time.Time) {
	next := &l.schedule.next
	now := l.clock.Wall()
	from = from.Truncate(time.Minute)
	l.schedule.start = Start{From: l.c.Zone.FirstUnambiguous(from, l.c.Zone.Slot(from, l.c.Slot).To), Began: now}
	for *next = l.c.Zone.Slot(earlier(from, l.clock.Start().Add(-l.c.Settle)), l.c.Slot).From; next.Before(until); {
		span := l.c.Zone.Slot(*next, l.c.Slot)
		*next = span.To
		if until.Before(now) {
			span.To = earlier(span.To, until)
		}
		if !from.After(span.From) {
			l.open(span, false, false)
			continue
		}
		at := l.c.Zone.FirstUnambiguous(from, span.To)
		if l.clock.Start().Sub(span.To) < l.c.Settle {
			l.open(Span{From: span.From, To: at}, true, true)
		}
		if at.Before(span.To) {
			l.open(Span{From: at, To: span.To}, false, true)
		}
	}
}

// open adds a slot, split beforehand as the last ones had to be. With baseline, its first reading
// is not counted; with cut, the span is only a part of a slot on the clock.
func (l *Ledger) open(span Span, baseline, cut bool) {
	s := &slot{Span: span, state: Open, baseline: baseline || cut, ended: l.clock.Elapsed() + span.To.Sub(l.clock.Wall())}
	for from := span.From; from.Before(span.To); {
		to := l.c.Zone.FirstUnambiguous(from.Add(l.schedule.length), span.To)
		s.spans = append(s.spans, slotSpan{Span: Span{From: from, To: to}, baseline: baseline})
		from = to
	}
	l.slots = append(l.slots, s)
}

func (s *slot) close(state SlotState) {
	s.state = state
	for i := range s.spans[:max(0, len(s.spans)-1)] {
		s.cuts = append(s.cuts, s.spans[i].To)
	}
	s.spans, s.counted, s.reported = nil, counts.ByToken{}, counts.ByToken{}
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
			l.fresh = false
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
	if s.total.Total > 0 { // an empty slot says nothing of the next ones
		l.growSpans(s.largest)
	}
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
		v := SlotView{Span: s.Span, State: s.state, Requests: s.total.Total, Read: s.read}
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
	return !now.Before(s.To.Add(l.c.Reread)) && s.unread()
}

// unread reports whether some of a slot was not read since its end.
func (s *slot) unread() bool {
	return slices.ContainsFunc(s.spans, func(sp slotSpan) bool { return sp.read.Before(sp.To) })
}
