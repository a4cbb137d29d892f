package ledger

import (
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// RestartSeries makes all counters begin at 0, for series under a new name. What was counted from
// the open slots is remembered, so that nothing is counted again.
func (l *Ledger) RestartSeries() {
	all := []*counts.Counters{&l.total, &l.other}
	for _, i := range l.tracked.index {
		all = append(all, &l.tracked.counters[i])
	}
	for _, c := range all {
		c.Total, c.Values = metrics.Count{}, nil
	}
	l.health = newHealth()
}
