package ledger

import (
	"maps"
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/ledger/clocks"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/collector/ledger/saved"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// State is all that a ledger must know to continue after a restart.
type State = saved.State

// State returns the ledger's, as staged. A series that is staged as 0 is exposed anew as 0.
func (l *Ledger) State() *State {
	s := &State{
		StateSettings: saved.StateSettings{
			Dimensions: l.c.Dimensions, Tokens: l.c.MaxTokens > 0,
			Zone: l.c.Zone.Location.String(), Inclusive: l.c.Zone.Inclusive,
		},
		StateTimes: saved.StateTimes{
			Start: l.schedule.start, Next: l.schedule.next, Newest: l.schedule.newest, Length: l.schedule.length,
			Clock: l.activity.clock, LastGain: l.activity.lastGain, Resumed: l.activity.resumed, Held: l.activity.held,
			Wall: l.clock.Wall(), Elapsed: l.clock.Elapsed(), ABS: l.clock.ShowsABS(), Fresh: l.fresh,
			ProbeLength: l.schedule.probes.length, ProbeProven: l.schedule.probes.proven,
		},
		Health: map[string]saved.CountRecord{}, Readings: l.readings, Audit: l.audit,
	}
	for d, t := range l.labels {
		s.Labels[d] = t.State()
	}
	all := append([]*counts.Counters{&l.total}, l.byToken()...)
	values := 0
	for _, c := range all {
		values += len(c.Values)
	}
	s.Counters.Bytes = make([]byte, 0, 32*len(all)+4*values) // as long as it becomes, or nearly
	for _, c := range all {
		s.Counters.Add(c)
	}
	for name, c := range l.health.byName() {
		s.Health[name] = saved.CountRecord{Value: c.Value, FirstExposed: c.FirstExposed()}
	}
	for _, o := range l.slots {
		s.Slots = append(s.Slots, l.slotRecord(o))
	}
	return s
}

func (h *health) byName() map[string]*metrics.Count {
	all := maps.Clone(h.overflow)
	all[metrics.MissedSlots.Name], all[metrics.UnprovenSlots.Name] = &h.missed, &h.unproven
	all[metrics.ReportRegressions.Name] = &h.regressions
	return all
}

func (l *Ledger) slotRecord(s *slot) saved.SlotRecord {
	v := saved.SlotRecord{
		From: s.From, To: s.To, Read: s.read, Proven: s.proven, Ended: s.ended, State: string(s.state), Counted: l.tokenCountsState(&s.counted),
		Largest: s.largest, Bytes: s.bytes, Baseline: s.baseline, Without: s.without, Cuts: s.cuts, Audit: s.audit,
	}
	v.Total.Add(&s.total)
	for i := range s.spans {
		sp := &s.spans[i]
		rec := saved.SpanRecord{
			From: sp.From, To: sp.To, Read: sp.read, Reading: sp.reading, Timeouts: sp.timeouts,
			Failed: sp.failed, Settled: sp.settled, Baseline: sp.baseline, OtherCounted: sp.otherCounted, Empty: sp.empty,
		}
		if sp.last != nil {
			last := l.tokenCountsState(sp.last)
			rec.Last = &last
		}
		v.Spans = append(v.Spans, rec)
	}
	return v
}

func (l *Ledger) tokenCountsState(t *counts.ByToken) (s saved.TokenCountsState) {
	if len(t.Tracked) == 0 && t.Other.IsZero() {
		return s
	}
	order := l.tracked.sorted()
	values := len(t.Other.Values)
	for _, i := range order {
		values += len(t.Tracked[i].Values)
	}
	s.Bytes = make([]byte, 0, 4*(1+len(order))+3*values) // as long as it becomes, or nearly
	s.Add(&t.Other)
	for _, i := range order {
		s.Add(&t.Tracked[i])
	}
	return s
}

// Restore returns a ledger that continues from a state. If the state has more tokens than
// Config.MaxTokens, those whose last gain is oldest leave.
func Restore(c Config, s *State) (*Ledger, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	l := New(c)
	for d := range l.labels {
		if err := l.labels[d].Restore(s.Labels[d]); err != nil {
			return nil, err
		}
	}
	all, err := s.Counters.Decode(l.labels)
	if err != nil || len(all) < 2 {
		return nil, counts.ErrState
	}
	if err := counts.CheckCounters(all); err != nil {
		return nil, err
	}
	l.total, l.other = all[0], all[1]
	l.readings = s.Readings
	l.schedule.start, l.schedule.next, l.schedule.newest = s.Start, s.Next, s.Newest
	l.schedule.length = max(time.Minute, min(s.Length, c.Slot).Truncate(time.Minute))
	l.schedule.probes = probes{readings: s.Readings, length: max(0, s.ProbeLength.Truncate(time.Minute)), proven: s.ProbeProven}
	l.activity = activity{s.Clock, s.LastGain, s.Resumed, s.Held}
	l.clock = clocks.Restored(s.Wall, s.Elapsed, s.ABS)
	// Without ABS's clock, nobody knows how long no process ran if ours was wrong.
	l.fresh = s.Fresh && !s.ABS.IsZero()
	l.audit = s.Audit
	for name, c := range l.health.byName() {
		*c = metrics.RestoredCount(s.Health[name].Value, s.Health[name].FirstExposed)
	}
	l.health.restoredMissed = l.health.missed.Value
	indexes := l.restoreTracked(all[2:])
	for i := range s.Slots {
		restored, err := l.restoreSlot(&s.Slots[i], indexes)
		if err != nil {
			return nil, err
		}
		l.slots = append(l.slots, restored)
	}
	l.adapt(s)
	l.dropUnchosen()
	return l, nil
}

// adapt adapts the ledger to settings that differ from those of the state.
func (l *Ledger) adapt(s *State) {
	if !s.Tokens {
		l.other = counts.Counters{} // it was not exposed, and starts at 0 now
	}
	for _, d := range l.c.Dimensions {
		if slices.Contains(s.Dimensions, d) {
			continue
		}
		l.other.Drop(d) // what it counted meanwhile was not exposed either
		for i := range l.tracked.counters {
			l.tracked.counters[i].Drop(d)
		}
		if !d.Optional() {
			continue
		}
		l.total.Drop(d)
		for _, o := range l.slots {
			if !slices.Contains(o.without, d) {
				o.without = append(o.without, d)
			}
		}
	}
	if s.Zone == l.c.Zone.Location.String() && s.Inclusive == l.c.Zone.Inclusive {
		return
	}
	// The same windows are other requests now: what ABS reports of the open ones is their baseline,
	// and none is audited.
	l.Rezoned, l.fresh = true, false
	for _, o := range l.slots {
		o.baseline = true
		o.counted, o.reported = counts.ByToken{}, counts.ByToken{}
		for i := range o.spans {
			o.spans[i] = slotSpan{Span: o.spans[i].Span, baseline: true}
		}
	}
}

// restoreTracked tracks the tokens of a state, and returns their indexes: -1 for those that leave.
func (l *Ledger) restoreTracked(saved []counts.Counters) []int {
	keep := make([]int, len(saved))
	for i := range keep {
		keep[i] = i
	}
	slices.SortStableFunc(keep, func(a, b int) int { return int(saved[b].Gained - saved[a].Gained) })
	l.reserve(len(saved))
	indexes := make([]int, len(saved))
	for n, i := range keep {
		indexes[i] = -1
		if n < l.c.MaxTokens {
			indexes[i] = l.tracked.add(saved[i])
		} else {
			l.inherit(&saved[i])
		}
	}
	return indexes
}

// inherit gives other what a token gained that leaves and nobody has seen: its series were still
// exposed as 0 (rule 8).
func (l *Ledger) inherit(c *counts.Counters) {
	if c.Total.FirstExposed() == 0 {
		l.other.Total.Value += c.Total.Value
		l.health.overflow[metrics.DimensionToken].Value += c.Total.Value
	}
	for i := range c.Values {
		if v := &c.Values[i]; v.FirstExposed() == 0 && v.Value != 0 {
			l.other.Add(v.ID, v.Value, 0)
		}
	}
}

func (l *Ledger) restoreSlot(v *saved.SlotRecord, indexes []int) (*slot, error) {
	total, err := v.Total.Decode(l.labels)
	if err != nil || len(total) != 1 {
		return nil, counts.ErrState
	}
	if err := counts.CheckCounts(total); err != nil {
		return nil, err
	}
	s := &slot{
		Span: Span{From: v.From, To: v.To}, state: SlotState(v.State), total: total[0], read: v.Read, proven: v.Proven, ended: v.Ended,
		largest: v.Largest, bytes: v.Bytes, baseline: v.Baseline, without: v.Without, cuts: v.Cuts, audit: v.Audit,
	}
	left, err := l.restoreTokenCounts(&s.counted, &v.Counted, indexes)
	if err != nil {
		return nil, err
	}
	for i := range v.Spans {
		rec := &v.Spans[i]
		sp := slotSpan{
			Span: Span{From: rec.From, To: rec.To}, read: rec.Read, reading: rec.Reading, timeouts: rec.Timeouts,
			failed: rec.Failed, settled: rec.Settled, baseline: rec.Baseline, otherCounted: rec.OtherCounted || left, empty: rec.Empty,
		}
		if rec.Last != nil {
			sp.last = &counts.ByToken{}
			moved, err := l.restoreTokenCounts(sp.last, rec.Last, indexes)
			if err != nil {
				return nil, err
			}
			sp.otherCounted = sp.otherCounted || moved
			sp.last.Grow(l.tracked.size()) // a last reading is never empty, whatever the state says
			s.reported.Move(sp.last, 1)
		}
		s.spans = append(s.spans, sp)
	}
	return s, nil
}

// restoreTokenCounts restores counts. Those of tokens that leave move to other; it reports whether
// there were any.
func (l *Ledger) restoreTokenCounts(t *counts.ByToken, s *saved.TokenCountsState, indexes []int) (moved bool, err error) {
	all, err := s.Decode(l.labels)
	if err != nil || len(all) != 0 && len(all) != 1+len(indexes) {
		return false, counts.ErrState
	}
	if len(all) == 0 {
		return false, nil
	}
	if err := counts.CheckCounts(all); err != nil {
		return false, err
	}
	t.Grow(l.tracked.size())
	t.Other = all[0]
	t.Total = all[0].Total
	for i, index := range indexes {
		c := &all[1+i]
		t.Total += c.Total
		switch {
		case index >= 0:
			t.Tracked[index] = *c
		case !c.IsZero():
			t.Other.Move(c, 1)
			moved = true
		}
	}
	return moved, nil
}
