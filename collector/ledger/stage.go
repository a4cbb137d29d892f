package ledger

import (
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// staging is the counter series as they are exposed, or will be.
type staging struct {
	zero      metrics.ZeroInit
	blocks    []metrics.Block // as long as Stage would return the same
	asOf      time.Time       // of blocks
	first     time.Time       // when this process first staged
	unchanged bool            // the last Stage returned what the one before it did
	// unpublished says that what was staged last is not exposed.
	unpublished bool
}

// Stage returns the counter series as they are exposed from now on; see metrics.ZeroInit.Stage.
// Published or SaveFailed must follow before the next reading. A cycle that commits twice gets the
// same blocks twice, if nothing was read in between.
func (l *Ledger) Stage(now, asOf time.Time) []metrics.Block {
	st := &l.staging
	st.unchanged = st.blocks != nil && st.asOf.Equal(asOf)
	st.zero.Stage(now, asOf)
	if st.first.IsZero() {
		st.first = now
	}
	if !st.unchanged {
		st.asOf = asOf
		st.blocks = append(l.stage(totalFamilies(l.c.Dimensions), []*counts.Counters{&l.total}), l.stageHealth()...)
		if l.c.MaxTokens > 0 {
			st.blocks = append(st.blocks, l.stage(tokenFamilies(l.c.Dimensions), l.byToken())...)
		}
	}
	return slices.Clone(st.blocks)
}

// Unchanged reports whether the last Stage returned what the one before it did, and the State is
// the same, too.
func (l *Ledger) Unchanged() bool { return l.staging.unchanged }

// Published records that what was staged is exposed.
func (l *Ledger) Published() {
	st := &l.staging
	st.unpublished = false
	if !st.zero.Pending() {
		return
	}
	for _, c := range append(l.byToken(), &l.total) {
		st.zero.Published(&c.Total)
		for i := range c.Values {
			st.zero.Published(&c.Values[i].Count)
		}
	}
	st.zero.Published(&l.health.missed)
	st.zero.Published(&l.health.unproven)
	st.zero.Published(&l.health.regressions)
	for _, c := range l.health.overflow {
		st.zero.Published(c)
	}
}

// SaveFailed records that what was staged is not exposed. Until something is, no token leaves: its
// last requests would never have been exposed.
func (l *Ledger) SaveFailed() {
	l.staging.unpublished = true
	l.staging.blocks = nil
}

// byToken returns the counters of the other tokens and then of the tracked ones.
func (l *Ledger) byToken() []*counts.Counters {
	all := make([]*counts.Counters, 0, 2+len(l.tracked.index)) // room for the total, too
	all = append(all, &l.other)
	for _, i := range l.tracked.sorted() {
		all = append(all, &l.tracked.counters[i])
	}
	return all
}

func (l *Ledger) stage(f families, all []*counts.Counters) []metrics.Block {
	var sizes [counts.NumDimensions]int
	for _, c := range all {
		l.makeSeries(&f, c)
		for i := range c.Values {
			sizes[c.Values[i].ID.Dimension()]++
		}
	}
	blocks := []metrics.Block{{Family: f.total, Samples: make([]metrics.Sample, 0, len(all))}}
	var block [counts.NumDimensions]int // its index in blocks; 0: none
	for d, family := range f.values {
		if family != nil {
			block[d] = len(blocks)
			blocks = append(blocks, metrics.Block{Family: family, Samples: make([]metrics.Sample, 0, sizes[d])})
		}
	}
	for _, c := range all {
		c.Behind = false
		add := func(b *metrics.Block, count *metrics.Count) {
			s := l.staging.zero.Sample(count)
			c.Behind = c.Behind || s.Value != count.Value
			b.Samples = append(b.Samples, s)
		}
		add(&blocks[0], &c.Total)
		for i := range c.Values {
			if b := block[c.Values[i].ID.Dimension()]; b > 0 {
				add(&blocks[b], &c.Values[i].Count)
			}
		}
	}
	return blocks
}

// makeSeries makes the series that counters do not have yet, all in one.
func (l *Ledger) makeSeries(f *families, c *counts.Counters) {
	wanted := func(v *counts.ValueCounter) bool { return f.values[v.ID.Dimension()] != nil && !v.HasSeries() }
	missing := !c.Total.HasSeries()
	for i := range c.Values {
		missing = missing || wanted(&c.Values[i])
	}
	if !missing {
		return
	}
	labels := make([]string, 0, 3)
	labels = append(labels, l.c.Target)
	switch c {
	case &l.total:
	case &l.other:
		labels = append(labels, metrics.Other)
	default:
		labels = append(labels, c.ID.String())
	}
	l.staging.zero.Init(&c.Total, f.total, labels...)
	n := len(labels)
	labels = append(labels, "")
	for i := range c.Values {
		if v := &c.Values[i]; wanted(v) {
			labels[n] = l.labels.Name(v.ID)
			l.staging.zero.Init(&v.Count, f.values[v.ID.Dimension()], labels...)
		}
	}
	l.staging.zero.Make()
}

// stageHealth stages the ledger's own counters, each from the start.
func (l *Ledger) stageHealth() []metrics.Block {
	zero, h := &l.staging.zero, &l.health
	zero.Init(&h.missed, metrics.MissedSlots, l.c.Target)
	zero.Init(&h.unproven, metrics.UnprovenSlots, l.c.Target)
	zero.Init(&h.regressions, metrics.ReportRegressions, l.c.Target)
	for _, name := range overflowDimensions() {
		zero.Init(h.overflow[name], metrics.SeriesOverflow, l.c.Target, name)
	}
	zero.Make()
	overflow := metrics.Block{Family: metrics.SeriesOverflow}
	for _, name := range overflowDimensions() {
		overflow.Samples = append(overflow.Samples, zero.Sample(h.overflow[name]))
	}
	missed := zero.Sample(&h.missed)
	if l.staging.asOf.Sub(l.staging.first) < l.c.ZeroFor {
		missed.Value = min(missed.Value, h.restoredMissed)
	}
	return []metrics.Block{
		{Family: metrics.MissedSlots, Samples: []metrics.Sample{missed}},
		{Family: metrics.UnprovenSlots, Samples: []metrics.Sample{zero.Sample(&h.unproven)}},
		{Family: metrics.ReportRegressions, Samples: []metrics.Sample{zero.Sample(&h.regressions)}},
		overflow,
	}
}
