package ledger

import (
	"cmp"
	"slices"
	"time"
)

// SlotState is how far a slot is.
type SlotState string

// The states. Pending is a slot that ended and was not read since: what a pause left
// to make up.
const (
	Open    SlotState = "open"
	Pending SlotState = "pending"
	Settled SlotState = "settled"
	Missed  SlotState = "missed"
)

// doneSlots is how many settled or missed slots are kept for people to see, at least;
// Config.Keep may ask for more, for the audit.
const doneSlots = 12

// slot is a stretch of the clock that the counters are fed from.
type slot struct {
	Span
	parts   int // unsettled
	state   SlotState
	counted vector // from it
	read    time.Time
	large   int64 // the longest report of its settled parts, in bytes
	// baseline: what was there at the start is not in counted.
	baseline bool
	bytes    int64 // of the last reports of its settled parts together
	audited  bool
}

// part is a stretch that a counter compares: a slot, or what its start or cutting
// beforehand made of one. Halves of it that are cut later stay in it, so that what one of
// them tells less of and another more is not counted twice.
type part struct {
	slot *slot
	// pieces are the windows to read: one, until it is cut. A settled one is no more.
	pieces []piece
	// counted is what was counted from it, less what its pieces have told and were left.
	counted   shares
	restEver  bool // something was counted, or told of a piece, under the rest
	withoutIP bool // it was counted from when IPs were not, and so goes on without them
}

// piece is a window that is read as one report.
type piece struct {
	Span
	read     time.Time // when its last successful reading began
	failed   bool      // the last reading did
	timeouts int       // in a row
	cut      bool      // to be cut before the next reading
	whole    bool      // not to be cut for what its summary says: it was tried
	bytes    int64     // of the last report
	asked    Span      // the part of it that was too much
	baseline bool      // its first reading is taken as read and not counted (rule 8)
	joined   []bool    // by place; empty before the first reading

	// Of a part that was cut, a piece is one of these two (rule 4).
	told *shares // what its last reading told
	left *shares // what the piece that it was cut from had told, less the halves that were read; theirs together
}

// Advance opens the slots that have begun by now and gives up those that are too old.
// The first one of a ledger without state sets where counting begins.
func (l *Ledger) Advance(now time.Time) {
	l.staged = nil
	if l.next.IsZero() {
		l.begin(now)
	}
	if l.next.Sub(now) > 2*l.c.Slot+mergedAtMost {
		l.rewind(now)
	}
	for l.next.Before(now) {
		s := l.c.Zone.Slot(l.next, l.c.Slot)
		s.From = l.next
		l.next = s.To
		if now.Sub(s.To) > l.c.MaxBackfill {
			l.missed++
			l.slots = append(l.slots, &slot{Span: s, state: Missed})
			l.prune()
			continue
		}
		l.open(&slot{Span: s}, s, false)
	}
	for _, p := range slices.Clone(l.parts) {
		if now.Sub(p.slot.To) <= l.c.MaxBackfill {
			continue
		}
		if p.slot.state != Missed {
			p.slot.state = Missed
			l.missed++
		}
		l.close(p)
	}
	l.expire()
}

// mergedAtMost is how much longer than others a slot is that touches an hour which comes
// twice.
const mergedAtMost = 3 * time.Hour

// rewind forgets the slots of a future that a clock which ran ahead had opened, as far as
// nothing was counted from them.
func (l *Ledger) rewind(now time.Time) {
	l.next = l.c.Zone.Slot(now, l.c.Slot).From
	ahead := func(s *slot) bool { return !s.From.Before(l.next) && s.counted.total == 0 }
	l.parts = slices.DeleteFunc(l.parts, func(p *part) bool { return ahead(p.slot) })
	l.slots = slices.DeleteFunc(l.slots, ahead)
	for _, s := range l.slots {
		if s.To.After(l.next) {
			l.next = s.To
		}
	}
	if l.newest.After(now) {
		l.newest = time.Time{}
	}
}

// begin opens the slots that may still fill up. Of what is in them already, only what
// lies in the look-back is counted: the slot that the look-back ends in is cut there.
func (l *Ledger) begin(now time.Time) {
	from := now.Add(-l.c.Lookback).Truncate(time.Minute)
	first := from
	if settling := now.Add(-l.c.Settle); settling.Before(from) {
		first = settling
	}
	for l.next = l.c.Zone.Slot(first, l.c.Slot).From; l.next.Before(now); {
		span := l.c.Zone.Slot(l.next, l.c.Slot)
		l.next = span.To
		s := &slot{Span: span, baseline: from.After(span.From)}
		cut := span.From
		if s.baseline {
			cut = l.c.Zone.after(from, span.To)
		}
		if cut.After(span.From) && now.Sub(span.To) < l.c.Settle {
			l.open(s, Span{span.From, cut}, true)
		}
		if cut.Before(span.To) {
			l.open(s, Span{cut, span.To}, false)
		}
	}
}

// open adds the parts of a slot, cut beforehand as the last ones had to be.
func (l *Ledger) open(s *slot, span Span, baseline bool) {
	if s.parts == 0 {
		l.slots = append(l.slots, s)
		s.state = Open
	}
	for from := span.From; from.Before(span.To); {
		to := from.Add(l.piece)
		for to.Before(span.To) && !l.c.Zone.sure(to) {
			to = to.Add(time.Minute)
		}
		if to.After(span.To) {
			to = span.To
		}
		p := &part{slot: s, pieces: []piece{{Span: Span{from, to}, baseline: baseline}}}
		l.parts = append(l.parts, p)
		s.parts++
		from = to
	}
}

// close takes a part off the open ones.
func (l *Ledger) close(p *part) {
	l.parts = slices.DeleteFunc(l.parts, func(q *part) bool { return q == p })
	p.slot.parts--
	if p.slot.parts > 0 || p.slot.state == Missed {
		return
	}
	p.slot.state = Settled
	if l.piece < l.c.Slot {
		l.grow(p.slot)
	}
	l.prune()
}

// prune drops the oldest slots that are done and that neither people nor the audit
// want any more.
func (l *Ledger) prune() {
	done := 0
	for _, s := range l.slots {
		if s.state == Settled || s.state == Missed {
			done++
		}
	}
	keep := max(doneSlots, int(l.c.Keep/l.c.Slot))
	l.slots = slices.DeleteFunc(l.slots, func(s *slot) bool {
		if (s.state == Settled || s.state == Missed) && done > keep {
			done--
			return true
		}
		return false
	})
}

// Job is a window to read next.
type Job struct {
	Span     // what to ask for; its end is never past now
	part     *part
	whole    Span // the piece
	Current  bool // of the slot that has not ended
	timeouts int  // of the piece, in a row
	quiet    bool // its reading lists nobody, as another one is under way meanwhile
}

// Due is what to read in a cycle that begins now, oldest first but for those that timed
// out before, which would keep the others waiting: the slot that has not
// ended; ended ones after each Reread; those whose reading failed; and, once it is time
// for it, those that can be settled. While ABS's wall clock runs through an hour for the
// second time, a slot that has not ended waits: its report would be of another stretch.
func (l *Ledger) Due(now time.Time) []Job {
	l.cutMarked()
	minute := now.Truncate(time.Minute)
	var jobs []Job
	for _, p := range l.parts {
		for _, w := range p.pieces {
			ask := w.Span
			if ask.To.After(minute) {
				ask.To = minute
			}
			if !ask.To.After(ask.From) || !w.due(now, l.c) || !ask.To.Equal(w.To) && l.c.Zone.again(ask.To) {
				continue
			}
			jobs = append(jobs, Job{Span: ask, part: p, whole: w.Span, timeouts: w.timeouts, Current: p.slot.To.After(now)})
		}
	}
	slices.SortStableFunc(jobs, func(a, b Job) int {
		return cmp.Or(cmp.Compare(a.timeouts, b.timeouts), a.From.Compare(b.From))
	})
	return jobs
}

func (w *piece) due(now time.Time, c Config) bool {
	switch {
	case w.failed, w.read.IsZero(), w.read.Before(w.To):
		return true
	case !now.Before(w.To.Add(c.Settle)):
		return true
	default:
		return now.Sub(w.read) >= c.Reread
	}
}

// Slots tells of the slots, oldest first.
func (l *Ledger) Slots(now time.Time) []SlotView {
	views := make([]SlotView, 0, len(l.slots))
	for _, s := range l.slots {
		v := SlotView{Span: s.Span, State: s.state, Requests: s.counted.total, Read: s.read}
		if s.state == Open && l.pending(s, now) {
			v.State = Pending
		}
		views = append(views, v)
	}
	return views
}

// SlotView is a slot as people see it.
type SlotView struct {
	Span
	State    SlotState
	Requests int64     // counted from it
	Read     time.Time // when its last successful reading began
}

// pending tells that a slot is to be made up: that it should have been read since its end, and was not. One that has ended
// just now is read in its turn.
func (l *Ledger) pending(s *slot, now time.Time) bool {
	if now.Before(s.To.Add(l.c.Reread)) {
		return false
	}
	for _, p := range l.parts {
		if p.slot != s {
			continue
		}
		for _, w := range p.pieces {
			if w.read.Before(w.To) {
				return true
			}
		}
	}
	return false
}
