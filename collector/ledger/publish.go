package ledger

import (
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// Stage gives the counter series as they will be served from now on. Published or
// Withdrawn must follow before the next reading.
func (l *Ledger) Stage(now time.Time) []metrics.Block {
	blocks := l.stage(nil, wholeFamilies(), now, []*account{&l.whole})
	if l.c.MaxTokens == 0 {
		return blocks
	}
	listed := []*account{&l.other}
	for _, p := range l.sorted() {
		l.accounts[p].behind = false
		listed = append(listed, &l.accounts[p])
	}
	return l.stage(blocks, tokenFamilies(l.c.Dimensions), now, listed)
}

// Published tells that what was staged at now is served.
func (l *Ledger) Published(now time.Time) {
	l.births.Published(now)
	l.withheld = false
}

// Withdrawn tells that it will not be. Until something is, no token leaves: its last
// requests would never have been served.
func (l *Ledger) Withdrawn() {
	l.births.Withdrawn()
	l.withheld = true
}

func (l *Ledger) stage(blocks []metrics.Block, f families, now time.Time, accounts []*account) []metrics.Block {
	total := metrics.Block{Family: f.total, Samples: make([]metrics.Sample, 0, len(accounts))}
	for _, a := range accounts {
		total.Samples = append(total.Samples, l.sample(&a.total, now, f.total, a, ""))
	}
	blocks = append(blocks, total)
	for d, family := range f.cells {
		if family == nil {
			continue
		}
		block := metrics.Block{Family: family, Samples: make([]metrics.Sample, 0, 2*len(accounts))}
		names := l.tables[d].names
		for _, a := range accounts {
			for i := range a.cells {
				if c := &a.cells[i]; c.k.dimension() == Dimension(d) {
					block.Samples = append(block.Samples, l.sample(&c.Counter, now, family, a, names[c.k.value()]))
				}
			}
		}
		blocks = append(blocks, block)
	}
	return blocks
}

func (l *Ledger) sample(c *Counter, now time.Time, f *metrics.Family, a *account, value string) metrics.Sample {
	s, ok := l.births.known(c, now)
	if !ok {
		labels := slices.Clone(a.labels)
		if f != metrics.Requests && f != metrics.TokenRequests {
			labels = append(labels, value)
		}
		s = l.births.first(c, now, f, labels...)
	}
	a.behind = a.behind || s.Value != c.Value
	return s
}

// sorted are the places of the listed tokens in the order of their ids: an order that
// does not change from run to run, and in which text compresses well.
func (l *Ledger) sorted() []int {
	if l.order == nil {
		l.order = make([]int, 0, len(l.places))
		for _, p := range l.places {
			l.order = append(l.order, p)
		}
		slices.SortFunc(l.order, func(a, b int) int {
			if l.accounts[a].id < l.accounts[b].id {
				return -1
			}
			return 1
		})
	}
	return l.order
}
