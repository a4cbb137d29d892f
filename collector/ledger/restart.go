package ledger

import "github.com/abs-exporter/abs-exporter/metrics"

// RestartSeries makes all counters begin at 0, for series under a new name. What was counted from
// the open slots is remembered, so that nothing is counted again.
func (l *Ledger) RestartSeries() {
	for _, a := range append([]*account{&l.whole, &l.other}, l.trackedAccounts()...) {
		a.total, a.cells = metrics.Count{}, nil
	}
	l.missed, l.regressions = 0, 0
}

func (l *Ledger) trackedAccounts() []*account {
	var all []*account
	for _, p := range l.places {
		all = append(all, &l.accounts[p])
	}
	return all
}
