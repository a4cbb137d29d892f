package ledger

import (
	"slices"
	"time"

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
	if r.total > 0 {
		l.proves(s, r.began)
	}
	split := len(s.spans) > 1
	if r.total == 0 && s.counted.total == 0 && !split && len(s.counted.tracked) == 0 {
		// Nothing so far: an idle weekend has many such slots, and they are to need no memory.
		sp.baseline = false
		settled := r.job.To.Equal(sp.To) && l.settles(s, sp, r.began)
		l.finishReading(s, sp, r.began, bytes, settled)
		return Outcome{SlotEnd: s.To, Settled: settled}
	}
	widen(&r.tokenCounts, l.tracked.size())
	s.counted.grow(l.tracked.size())
	if split {
		s.reported.grow(l.tracked.size())
	}
	l.finish(r)
	out := Outcome{SlotEnd: s.To, Regressed: l.regressed(r, sp)}
	if out.Regressed {
		l.health.regressions.Value++
	}
	l.admit(r, sp)
	if s.withoutIPs {
		r.dropIPs()
	}
	l.join(r, sp)
	reported, other := &r.tokenCounts, &s.counted.other
	if split {
		s.remember(sp, reported)
		// What is not counted under other now may be by a reading of another span.
		reported, other = &s.reported, &r.other
	}
	if sp.baseline {
		s.counted.move(&r.tokenCounts, 1)
		sp.baseline = false
	}
	out.Gain = l.count(s, reported, r.began)
	sp.otherCounted = sp.otherCounted || !other.isZero()
	out.Settled = r.job.To.Equal(sp.To) && l.settles(s, sp, r.began)
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
	if r.total < before.total {
		return true
	}
	return slices.ContainsFunc(l.tracked.sorted(), func(i int) bool {
		return l.joined(sp, i) && r.tracked[i].total < before.tracked[i].total
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
			r.job.slot.counted.join(i, &r.tracked[i])
		}
	}
}

// remember makes a reading the last one of a span of a split slot (rule 4).
func (s *slot) remember(sp *slotSpan, r *tokenCounts) {
	if sp.last != nil {
		s.reported.move(sp.last, -1)
	}
	sp.last = r.clone()
	s.reported.move(sp.last, 1)
}

// count is rule 1: the total first, then its shares.
func (l *Ledger) count(s *slot, reported *tokenCounts, began time.Time) int64 {
	gain := max(0, reported.total-s.counted.total)
	if gain > 0 {
		l.activity.gain(began, &l.c)
	}
	s.counted.total += gain
	s.total.total += gain
	l.total.total.Value += gain
	left := gain
	for _, i := range l.tracked.sorted() {
		c := &l.tracked.counters[i]
		got := l.share(c, &s.counted.tracked[i], &reported.tracked[i], left)
		if got > 0 {
			c.gained = l.activity.clock
		}
		left -= got
	}
	l.shareOther(&s.counted.other, &reported.other, left)
	l.addGains(s)
	return gain
}

func (l *Ledger) shareOther(counted, reported *counts, left int64) {
	got := l.share(&l.other, counted, reported, left)
	if l.c.MaxTokens == 0 {
		return // no token has series, so none is beyond their limit
	}
	l.health.overflow[metrics.DimensionToken].Value += got
}

// share counts the rise of one token, at most what is left of the total's gain, and inside it the
// rise of every value, a dimension's sum at most what was counted of the token. It leaves the gains
// of the values for addGains to add to the totals.
func (l *Ledger) share(c *counters, counted, reported *counts, left int64) int64 {
	got := min(max(0, reported.total-counted.total), left)
	counted.total += got
	c.total.Value += got
	if got > 0 && c.values == nil {
		c.values = make([]valueCounter, 0, len(reported.values))
	}
	if got > 0 && counted.values == nil {
		counted.values = make([]valueCount, 0, len(reported.values))
	}
	sums := counted.byDimension()
	i, at := 0, 0 // in counted.values, in c.values
	rise := func(id valueID, n int64) int64 {
		d := id.dimension()
		if n = min(n, counted.total-sums[d]); n <= 0 {
			return 0
		}
		sums[d] += n
		at = c.add(id, n, at)
		for int(id.index()) >= len(l.gains[d]) {
			l.gains[d] = append(l.gains[d], 0)
		}
		l.gains[d][id.index()] += n
		return n
	}
	upTo := func(end valueID) { // those that are not reported rise if rule 2 left them below 0
		for ; i < len(counted.values) && counted.values[i].id < end; i++ {
			counted.values[i].n += rise(counted.values[i].id, -counted.values[i].n)
		}
	}
	for _, v := range reported.values {
		upTo(v.id)
		if i < len(counted.values) && counted.values[i].id == v.id {
			counted.values[i].n += rise(v.id, v.n-counted.values[i].n)
			i++
		} else if n := rise(v.id, v.n); n > 0 {
			counted.values = slices.Insert(counted.values, i, valueCount{v.id, n})
			i++
		}
	}
	upTo(newValueID(dimensions, 0))
	return got
}

// addGains adds the gains of the values to the totals of the target and of the slot.
func (l *Ledger) addGains(s *slot) {
	at := 0
	for d, gains := range l.gains {
		for i, n := range gains {
			if n != 0 {
				id := newValueID(Dimension(d), uint32(i))
				at = l.total.add(id, n, at)
				s.total.add(id, n)
			}
		}
		if len(gains) > 0 {
			l.health.overflow[Dimension(d).String()].Value += gains[0] // Other's
		}
		clear(gains)
	}
}
