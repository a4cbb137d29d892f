package ledger

import (
	"slices"

	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// RestartSeries makes all counters begin at 0, for series with another name or other labels of the
// target: they have what the series so far did not show; see metrics.Count.Restarted. What was
// counted from the open slots is remembered, so that nothing is counted again.
func (l *Ledger) RestartSeries(shown map[*metrics.Series]int64) {
	all := []*counts.Counters{&l.total, &l.other}
	for _, i := range l.tracked.index {
		all = append(all, &l.tracked.counters[i])
	}
	for _, c := range all {
		c.Total = c.Total.Restarted(shown)
		for i := range c.Values {
			v := &c.Values[i]
			v.Count = v.Restarted(shown)
		}
		c.Values = slices.DeleteFunc(c.Values, func(v counts.ValueCounter) bool { return v.Value == 0 })
	}
	for _, c := range l.health.byName() {
		*c = c.Restarted(shown)
	}
	l.health.restoredMissed = 0
	l.staging.blocks = nil
}
