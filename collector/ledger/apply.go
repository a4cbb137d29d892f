package ledger

import (
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Outcome is the result of a reading.
type Outcome struct {
	Gain      int64     // requests counted
	SlotEnd   time.Time // of the slot they were counted from
	Settled   bool      // the span will not be read again
	Regressed bool      // the span, or a token that had joined it, had fewer requests than before
}

// Apply counts a complete reading and ends it. bytes is the length of its report.
func (l *Ledger) Apply(r *Reading, bytes int64) Outcome {
	defer l.Discard(r)
	l.readings++
	s, sp := r.job.slot, r.job.span()
	trusted := r.Total > 0 || l.trustsEmpty(sp)
	if r.Total > 0 {
		l.proves(s, r.began)
	}
	sp.empty = r.Total == 0
	split := len(s.spans) > 1
	if r.Total == 0 && s.counted.Total == 0 && !split && len(s.counted.Tracked) == 0 {
		// Nothing so far: an idle weekend has many such slots, and they are to need no memory.
		sp.baseline = false
		settled := trusted && r.job.To.Equal(sp.To) && l.settles(s, sp, r.began)
		l.finishReading(s, sp, r.began, bytes, settled)
		return Outcome{SlotEnd: s.To, Settled: settled}
	}
	r.Widen(l.tracked.size())
	s.counted.Grow(l.tracked.size())
	if split {
		s.reported.Grow(l.tracked.size())
	}
	r.finish()
	l.admitValues(r, sp)
	out := Outcome{SlotEnd: s.To, Regressed: l.regressed(r, sp)}
	if out.Regressed {
		l.health.regressions.Value++
	}
	l.admit(r, sp)
	for _, d := range s.without {
		r.drop(d)
	}
	l.joinValues(r, sp)
	l.join(r, sp)
	reported, other := &r.ByToken, &s.counted.Other
	if split {
		s.remember(sp, reported)
		// A reading of another span may have counted requests under other, which this one does not.
		reported, other = &s.reported, &r.Other
	}
	if sp.baseline {
		s.counted.Move(&r.ByToken, 1)
		sp.baseline = false
	}
	var underOther [counts.NumDimensions]int64
	out.Gain, underOther = l.count(s, reported, r.began)
	l.overflow(r, sp, underOther)
	sp.otherCounted = sp.otherCounted || !other.IsZero()
	out.Settled = trusted && r.job.To.Equal(sp.To) && l.settles(s, sp, r.began)
	if !out.Settled && l.c.ResponseCap.Splits(bytes) {
		sp.tooMuch = r.job.Span
	}
	l.finishReading(s, sp, r.began, bytes, out.Settled)
	return out
}

// regressed reports whether a span, or a token that has joined it, has fewer requests than before:
// than were counted of it, or than its last reading had where it is one of several spans.
func (l *Ledger) regressed(r *Reading, sp *slotSpan) bool {
	before := &r.job.slot.counted
	if len(r.job.slot.spans) > 1 {
		before = sp.last
	}
	if before == nil || sp.baseline || sp.read.IsZero() {
		return false
	}
	if r.Total < before.Total {
		return true
	}
	return slices.ContainsFunc(l.tracked.sorted(), func(i int) bool {
		return l.joined(sp, i) && r.Tracked[i].Total < before.Tracked[i].Total
	})
}

// join gives the tracked tokens counts of their own in a span: what this reading reports of them
// leaves other, uncounted (rule 2).
func (l *Ledger) join(r *Reading, sp *slotSpan) {
	if sp.baseline || !sp.otherCounted {
		return
	}
	for _, i := range l.tracked.sorted() {
		if !l.joined(sp, i) {
			r.job.slot.counted.Join(i, &r.Tracked[i])
		}
	}
}

// remember makes a reading the last one of a span of a split slot (rule 4).
func (s *slot) remember(sp *slotSpan, r *counts.ByToken) {
	if sp.last != nil {
		s.reported.Move(sp.last, -1)
	}
	sp.last = r.Clone()
	s.reported.Move(sp.last, 1)
}

// count is rule 1: the total first, then its shares. It returns the gain, and by dimension what of
// it is Other's.
func (l *Ledger) count(s *slot, reported *counts.ByToken, began time.Time) (gain int64, other [counts.NumDimensions]int64) {
	gain = max(0, reported.Total-s.counted.Total)
	if gain > 0 {
		l.activity.gain(began, &l.c)
	}
	s.counted.Total += gain
	s.total.Total += gain
	l.total.Total.Value += gain
	left := gain
	for _, i := range l.tracked.sorted() {
		c := &l.tracked.counters[i]
		got := l.share(c, &s.counted.Tracked[i], &reported.Tracked[i], left)
		if got > 0 {
			c.Gained = l.activity.clock
		}
		left -= got
	}
	l.shareOther(&s.counted.Other, &reported.Other, left)
	return gain, l.addGains(s)
}

func (l *Ledger) shareOther(counted, reported *counts.Counts, left int64) {
	got := l.share(&l.other, counted, reported, left)
	if l.c.MaxTokens == 0 {
		return // no token has series, so none is beyond their limit
	}
	l.health.overflow[metrics.DimensionToken].Value += got
}

// share counts the rise of one token, at most what is left of the total's gain, and inside it the
// rise of every value, a dimension's sum at most what was counted of the token. It leaves the gains
// of the values for addGains to add to the totals.
func (l *Ledger) share(c *counts.Counters, counted, reported *counts.Counts, left int64) int64 {
	got := min(max(0, reported.Total-counted.Total), left)
	counted.Total += got
	c.Total.Value += got
	if got > 0 && c.Values == nil {
		c.Values = make([]counts.ValueCounter, 0, len(reported.Values))
	}
	if got > 0 && counted.Values == nil {
		counted.Values = make([]counts.ValueCount, 0, len(reported.Values))
	}
	sums := counted.ByDimension()
	i, at := 0, 0 // in counted.values, in c.values
	rise := func(id counts.ValueID, n int64) int64 {
		d := id.Dimension()
		if n = min(n, counted.Total-sums[d]); n <= 0 {
			return 0
		}
		sums[d] += n
		at = c.Add(id, n, at)
		for int(id.Index()) >= len(l.gains[d]) {
			l.gains[d] = append(l.gains[d], 0)
		}
		l.gains[d][id.Index()] += n
		return n
	}
	upTo := func(end counts.ValueID) { // those that are not reported rise if rule 2 left them below 0
		for ; i < len(counted.Values) && counted.Values[i].ID < end; i++ {
			counted.Values[i].N += rise(counted.Values[i].ID, -counted.Values[i].N)
		}
	}
	for _, v := range reported.Values {
		upTo(v.ID)
		if i < len(counted.Values) && counted.Values[i].ID == v.ID {
			counted.Values[i].N += rise(v.ID, v.N-counted.Values[i].N)
			i++
		} else if n := rise(v.ID, v.N); n > 0 {
			counted.Values = slices.Insert(counted.Values, i, counts.ValueCount{ID: v.ID, N: n})
			i++
		}
	}
	upTo(counts.End)
	return got
}

// addGains adds the gains of the values to the totals of the target and of the slot. It returns
// those of Other by dimension.
func (l *Ledger) addGains(s *slot) (other [counts.NumDimensions]int64) {
	at := 0
	for d, gains := range l.gains {
		for i, n := range gains {
			if n != 0 {
				l.labels[d].Gain(uint32(i), l.activity.clock)
				id := counts.NewValueID(counts.Dimension(d), uint32(i))
				at = l.total.Add(id, n, at)
				s.total.Add(id, n)
			}
		}
		if len(gains) > 0 {
			other[d] = gains[0]
		}
		clear(gains)
	}
	return other
}
