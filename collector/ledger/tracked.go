package ledger

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// tracked is the set of tokens that have series of their own. Each has an index, which is that of
// its counts in slots and readings, too.
type tracked struct {
	limit    int
	index    map[tokenid.ID]int
	counters []counts.Counters // by index
	free     []int             // indexes
	flagged  map[tokenid.ID]struct{}
	order    []int // indexes in the order of their ids; nil when stale
}

// DisplaceAfter is how long a tracked token goes without new requests before a busier one may
// displace it: three of ABS's batches.
const DisplaceAfter = 30 * time.Minute

// fewIndexes is how many indexes there are at least, up to the limit. Their number doubles when
// they are taken, and falls when few are, so that memory follows the tokens that are there.
const fewIndexes = 4

func newTracked(limit int) tracked {
	t := tracked{limit: limit, index: map[tokenid.ID]int{}, flagged: map[tokenid.ID]struct{}{}}
	t.extend(min(limit, fewIndexes))
	return t
}

// size returns how many indexes there are. Counts by token are empty, or as long.
func (t *tracked) size() int { return len(t.counters) }

// room returns how many more tokens can be tracked.
func (t *tracked) room() int { return t.limit - len(t.index) }

// extend adds indexes, up to a number of them.
func (t *tracked) extend(size int) {
	for i := size - 1; i >= t.size(); i-- {
		t.free = append(t.free, i)
	}
	t.counters = append(t.counters, make([]counts.Counters, size-t.size())...)
}

// reserve makes indexes for more tokens, as far as the limit allows.
func (l *Ledger) reserve(more int) {
	t := &l.tracked
	want := len(t.index) + min(more, t.room())
	if want <= t.size() {
		return
	}
	t.extend(min(max(want, 2*t.size()), t.limit))
	for c := range l.byTokens() {
		c.Widen(t.size())
	}
}

// shrink gives memory back once few indexes are taken: the tokens get the lowest ones. No reading
// may be under way.
func (l *Ledger) shrink() {
	t := &l.tracked
	size := min(max(fewIndexes, 2*len(t.index)), t.limit)
	if t.size() < 2*size {
		return
	}
	order, former := t.sorted(), t.counters
	*t = tracked{limit: t.limit, index: make(map[tokenid.ID]int, len(order)), flagged: t.flagged}
	t.extend(size)
	for _, i := range order {
		t.add(former[i])
	}
	for c := range l.byTokens() {
		if len(c.Tracked) > 0 {
			all := make([]counts.Counts, size)
			for to, from := range order {
				all[to] = c.Tracked[from]
			}
			c.Tracked = all
		}
	}
	l.spare = nil // as long as before
}

// byTokens returns all counts by token of the slots.
func (l *Ledger) byTokens() iter.Seq[*counts.ByToken] {
	return func(yield func(*counts.ByToken) bool) {
		for _, s := range l.slots {
			if !yield(&s.counted) || !yield(&s.reported) {
				return
			}
			for i := range s.spans {
				if last := s.spans[i].last; last != nil && !yield(last) {
					return
				}
			}
		}
	}
}

// sorted returns the indexes in the order of their ids: an order that does not change from run to
// run, and in which text compresses well.
func (t *tracked) sorted() []int {
	if t.order == nil {
		t.order = make([]int, 0, len(t.index))
		for _, i := range t.index {
			t.order = append(t.order, i)
		}
		slices.SortFunc(t.order, func(a, b int) int { return cmp.Compare(t.counters[a].ID, t.counters[b].ID) })
	}
	return t.order
}

// add gives the counters of a token an index.
func (t *tracked) add(c counts.Counters) (index int) {
	index = t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	t.index[c.ID] = index
	t.counters[index] = c
	t.order = nil
	return index
}

func (t *tracked) remove(index int) {
	delete(t.index, t.counters[index].ID)
	t.counters[index] = counts.Counters{}
	t.free = append(t.free, index)
	t.order = nil
}

// admissible returns how many tokens the reading of a job may admit: as many as there are free
// indexes, and as it may displace if no newer slot holds data (rule 5).
func (l *Ledger) admissible(j Job) int {
	switch {
	case j.admitsNone:
		return 0
	case j.slot.From.Before(l.schedule.newest):
		return l.tracked.room()
	default:
		return l.tracked.room() + len(l.displaceable())
	}
}

// displaceable returns the indexes that may be given to other tokens: those of tokens that are not
// flagged first, then those longest without gain.
func (l *Ledger) displaceable() []int {
	var idle []int
	for _, i := range l.tracked.index {
		if l.idleFor(i, l.c.DisplaceAfter) {
			idle = append(idle, i)
		}
	}
	rank := func(id tokenid.ID) int {
		if _, ok := l.tracked.flagged[id]; ok {
			return 1
		}
		return 0
	}
	slices.SortFunc(idle, func(a, b int) int {
		x, y := &l.tracked.counters[a], &l.tracked.counters[b]
		return cmp.Or(cmp.Compare(rank(x.ID), rank(y.ID)), cmp.Compare(x.Gained, y.Gained), cmp.Compare(x.ID, y.ID))
	})
	return idle
}

// admit tracks the best candidates of a reading. What it reports of them moves from other to them.
func (l *Ledger) admit(r *Reading, sp *slotSpan) {
	s := r.job.slot
	if r.Total == 0 || r.job.admitsNone {
		return
	}
	displaces := !s.From.Before(l.schedule.newest)
	switch {
	case displaces:
		l.schedule.newest = s.From
	case sp.baseline || !l.shows(r, sp):
		return // nobody has new requests in it: whoever left before would return
	}
	l.reserve(r.candidates.Len())
	r.Widen(l.tracked.size())
	var idle []int
	for _, c := range r.candidates.Sorted() {
		if c.Value.Total == 0 {
			break
		}
		if len(l.tracked.free) == 0 && !displaces {
			break
		}
		if len(l.tracked.free) == 0 && idle == nil {
			idle = slices.DeleteFunc(l.displaceable(), func(i int) bool { return l.rises(r, sp, i) })
		}
		if len(l.tracked.free) == 0 {
			if len(idle) == 0 {
				break
			}
			r.Leave(idle[0])
			l.leave(idle[0])
			idle = idle[1:]
		}
		i := l.tracked.add(counts.Counters{ID: c.Key, Gained: l.activity.clock, TrackedSince: l.readings, Behind: true})
		r.Other.Move(&c.Value, -1)
		r.Tracked[i], c.Value = c.Value, r.Tracked[i]
	}
}

// shows reports whether a reading shows requests that were not counted.
func (l *Ledger) shows(r *Reading, sp *slotSpan) bool {
	s, reported := r.job.slot, r.Total
	if len(s.spans) > 1 {
		reported += s.reported.Total
		if sp.last != nil {
			reported -= sp.last.Total
		}
	}
	return reported > s.counted.Total
}

// rises reports whether this very reading shows requests of a token that were not counted.
func (l *Ledger) rises(r *Reading, sp *slotSpan, i int) bool {
	reported := r.Tracked[i].Total
	if !l.joined(sp, i) {
		return reported > 0
	}
	s := r.job.slot
	if len(s.spans) > 1 {
		reported += s.reported.Tracked[i].Total
		if sp.last != nil {
			reported -= sp.last.Tracked[i].Total
		}
	}
	return reported > s.counted.Tracked[i].Total
}

// joined reports whether the last reading of a span had the token apart from other.
func (l *Ledger) joined(sp *slotSpan, i int) bool {
	return l.tracked.counters[i].TrackedSince <= sp.reading
}

// leave ends the series of a token. What was counted of it in the open slots moves to other, so
// that nothing is counted again when the token returns.
func (l *Ledger) leave(i int) {
	for _, s := range l.slots {
		had := s.counted.Leave(i)
		had = s.reported.Leave(i) || had
		for k := range s.spans {
			sp := &s.spans[k]
			if sp.last != nil {
				sp.last.Leave(i)
			}
			sp.otherCounted = sp.otherCounted || had && l.joined(sp, i)
		}
	}
	l.tracked.remove(i)
}

// expire ends the series of the tokens and values that were idle for too long.
func (l *Ledger) expire() {
	for _, i := range l.tracked.sorted() {
		if l.idleFor(i, l.c.Expire) {
			l.leave(i)
		}
	}
	l.expireValues()
}

// idleFor reports whether a token may leave: it has gained nothing for so long, and all that it
// ever gained was exposed.
func (l *Ledger) idleFor(i int, d time.Duration) bool {
	c := &l.tracked.counters[i]
	return l.activity.clock-c.Gained >= d && !c.Behind && !l.staging.unpublished
}
