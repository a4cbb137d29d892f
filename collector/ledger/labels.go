package ledger

import (
	"cmp"
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
)

// admitValues gives the busiest new values of a reading an index, as admit does with tokens
// (rule 6), and then the reading the indexes that the tables have by now.
func (l *Ledger) admitValues(r *Reading, sp *slotSpan) {
	displaces := !r.job.slot.From.Before(l.schedule.newest)
	if r.Total > 0 && (displaces || !sp.baseline) {
		for _, d := range counts.Dimensions() {
			if len(r.added[d].All) > 0 {
				l.admitValuesOf(d, r, sp, displaces)
			}
		}
	}
	r.settle()
}

func (l *Ledger) admitValuesOf(d counts.Dimension, r *Reading, sp *slotSpan, displaces bool) {
	t, added := l.labels[d], r.added[d].All
	reported, counted := l.valueSums(d, r, sp)
	shown := reported[0] - counted[0]
	for _, v := range added {
		shown += v.N
	}
	if shown <= 0 && !displaces {
		return // nothing new: what left before would return
	}
	slices.SortFunc(added, func(a, b counts.NewValue) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name))
	})
	var idle []uint32
	looked := !displaces
	for _, v := range added {
		if t.Has(v.Name) { // since a reading that was begun at the same time
			continue
		}
		if t.Full() && !looked {
			idle, looked = l.idleValues(d, l.c.DisplaceAfter), true
			idle = slices.DeleteFunc(idle, func(i uint32) bool { // this very reading shows requests of it
				return reported[i] > 0 && (t.Since(i) > sp.reading || reported[i] > counted[i])
			})
			slices.SortStableFunc(idle, func(a, b uint32) int { return cmp.Compare(t.Gained(a), t.Gained(b)) })
		}
		for ; t.Full() && len(idle) > 0; idle = idle[1:] {
			l.leaveValue(counts.NewValueID(d, idle[0]))
		}
		if t.Full() {
			return
		}
		t.Add(v, l.activity.clock, l.readings)
	}
}

// valueSums returns what is reported of a slot by the values of a dimension with this reading of a
// span, without new values, and what was counted, each by index.
func (l *Ledger) valueSums(d counts.Dimension, r *Reading, sp *slotSpan) (reported, counted []int64) {
	s, n := r.job.slot, r.added[d].First()
	reported, counted = make([]int64, n), make([]int64, n)
	r.AddValues(d, reported, 1)
	s.counted.AddValues(d, counted, 1)
	if len(s.spans) > 1 {
		s.reported.AddValues(d, reported, 1)
		if sp.last != nil {
			sp.last.AddValues(d, reported, -1)
		}
	}
	return reported, counted
}

// idleValues returns the indexes of the values that may leave: they have gained nothing for so
// long, and all that they ever gained was exposed.
func (l *Ledger) idleValues(d counts.Dimension, long time.Duration) []uint32 {
	if l.staging.unpublished {
		return nil
	}
	families, byToken := totalFamilies(l.c.Dimensions), l.c.MaxTokens > 0 && slices.Contains(l.c.Dimensions, d)
	return slices.DeleteFunc(l.labels[d].Idle(l.activity.clock-long), func(i uint32) bool {
		id := counts.NewValueID(d, i)
		if families.values[d] != nil && l.total.Unexposed(id) || byToken && l.other.Unexposed(id) {
			return true
		}
		return byToken && slices.ContainsFunc(l.tracked.sorted(), func(i int) bool { return l.tracked.counters[i].Unexposed(id) })
	})
}

// expireValues ends the series of the values that were idle for too long.
func (l *Ledger) expireValues() {
	for _, d := range counts.Dimensions() {
		for _, i := range l.idleValues(d, l.c.Expire) {
			l.leaveValue(counts.NewValueID(d, i))
		}
		l.labels[d].Turn(l.activity.clock, l.c.Expire)
	}
}

// dropUnchosen ends the series of the restored values that the settings give none by now, or
// another name. What nobody has seen of them is Other's.
func (l *Ledger) dropUnchosen() {
	for _, d := range counts.Dimensions() {
		for _, i := range l.labels[d].Unchosen() {
			id, other := counts.NewValueID(d, i), counts.NewValueID(d, 0)
			for _, c := range append(l.byToken(), &l.total) {
				if n := c.UnexposedOf(id); n > 0 {
					c.Add(other, n, 0)
				}
			}
			l.leaveValue(id)
		}
	}
}

// overflow counts the gain of Other in a dimension that is not there by choice. A reading reports
// requests, not gains: what a span has more of than in any reading so far is by choice, as far as
// Other gained it.
func (l *Ledger) overflow(r *Reading, sp *slotSpan, gained [counts.NumDimensions]int64) {
	for _, d := range counts.Dimensions() {
		byChoice := min(gained[d], max(0, r.notChosen[d]-sp.notChosen[d]))
		sp.notChosen[d] = max(sp.notChosen[d], r.notChosen[d])
		l.health.overflow[d.String()].Value += gained[d] - byChoice
	}
}

// leaveValue ends the series of a value. What was counted of it in the slots moves to Other, so
// that nothing is counted again when the value returns.
func (l *Ledger) leaveValue(id counts.ValueID) {
	other := counts.NewValueID(id.Dimension(), 0)
	for _, s := range l.slots {
		s.total.Leave(id, other)
		s.counted.LeaveValue(id, other)
		s.reported.LeaveValue(id, other)
		for i := range s.spans {
			if last := s.spans[i].last; last != nil {
				last.LeaveValue(id, other)
			}
		}
	}
	l.total.End(id)
	for _, c := range l.byToken() {
		c.End(id)
	}
	l.labels[id.Dimension()].Release(id.Index())
}

// joinValues gives values that got an index since the last reading of a span counts of their own:
// what this reading reports of them leaves Other, uncounted (rule 2).
func (l *Ledger) joinValues(r *Reading, sp *slotSpan) {
	s := r.job.slot
	for _, d := range counts.Dimensions() {
		t := l.labels[d]
		if sp.baseline || t.Newest() <= sp.reading {
			continue
		}
		other := counts.NewValueID(d, 0)
		join := func(counted, reported *counts.Counts) {
			if !counted.Has(other) {
				return // nothing was ever counted under Other: they join at 0
			}
			for _, v := range reported.Values {
				if v.ID.Dimension() != d || v.ID == other || t.Since(v.ID.Index()) <= sp.reading {
					continue
				}
				counted.MoveValue(other, v.ID, v.N)
				if n := min(v.N, s.total.Of(other)); n > 0 {
					s.total.MoveValue(other, v.ID, n)
				}
			}
		}
		all := counts.Counts{Values: slices.Clone(r.Other.Values)}
		for _, i := range l.tracked.sorted() {
			switch {
			case l.joined(sp, i):
				join(&s.counted.Tracked[i], &r.Tracked[i])
			case sp.otherCounted:
				all.Merge(r.Tracked[i].Values, 1)
			}
		}
		join(&s.counted.Other, &all)
	}
}
