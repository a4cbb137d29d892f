package ledger

import (
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// Stage gives the counter series as they will be exposed from now on; see metrics.ZeroInit.Stage.
// Published or Withdrawn must follow before the next reading. A cycle that commits twice gets the
// same blocks twice, if nothing was read in between.
func (l *Ledger) Stage(now, asOf time.Time) []metrics.Block {
	l.unchanged = l.staged != nil && l.stagedAs.Equal(asOf)
	l.zero.Stage(now, asOf)
	if !l.unchanged {
		l.stagedAs = asOf
		l.staged = l.stage(nil, wholeFamilies(), &l.whole, nil)
		if l.c.MaxTokens > 0 {
			l.staged = l.stage(l.staged, tokenFamilies(l.c.Dimensions), &l.other, l.sorted())
		}
	}
	return slices.Clone(l.staged)
}

// Unchanged tells that the last Stage gave what the one before it gave, and that the State
// is the same, too.
func (l *Ledger) Unchanged() bool { return l.unchanged }

// Published records that what was staged is exposed.
func (l *Ledger) Published() {
	l.withheld = false
	if !l.zero.Pending() {
		return
	}
	l.published(&l.whole)
	l.published(&l.other)
	for _, p := range l.places {
		l.published(&l.accounts[p])
	}
}

func (l *Ledger) published(a *account) {
	l.zero.Published(&a.total)
	for i := range a.cells {
		l.zero.Published(&a.cells[i].Count)
	}
}

// Withdrawn tells that it will not be. Until something is, no token leaves: its last
// requests would never have been served.
func (l *Ledger) Withdrawn() {
	l.withheld = true
	l.staged = nil
}

// stage appends the blocks of the families: of one account first, then of those at places.
func (l *Ledger) stage(blocks []metrics.Block, f families, first *account, places []int) []metrics.Block {
	l.makeSeries(&f, first)
	for _, p := range places {
		l.makeSeries(&f, &l.accounts[p])
	}
	var sizes [dimensions]int
	first.count(&sizes)
	for _, p := range places {
		l.accounts[p].count(&sizes)
	}
	total := make([]metrics.Sample, 0, 1+len(places))
	var cells [dimensions][]metrics.Sample
	for d, family := range f.cells {
		if family != nil {
			cells[d] = make([]metrics.Sample, 0, sizes[d])
		}
	}
	for i := range 1 + len(places) {
		a := first
		if i > 0 {
			a = &l.accounts[places[i-1]]
		}
		s := l.zero.Sample(&a.total)
		a.behind = s.Value != a.total.Value
		total = append(total, s)
		for i := range a.cells {
			c := &a.cells[i]
			d := c.k.dimension()
			if f.cells[d] == nil {
				continue
			}
			s := l.zero.Sample(&c.Count)
			a.behind = a.behind || s.Value != c.Value
			cells[d] = append(cells[d], s)
		}
	}
	blocks = append(blocks, metrics.Block{Family: f.total, Samples: total})
	for d, family := range f.cells {
		if family != nil {
			blocks = append(blocks, metrics.Block{Family: family, Samples: cells[d]})
		}
	}
	return blocks
}

func (a *account) count(sizes *[dimensions]int) {
	for i := range a.cells {
		sizes[a.cells[i].k.dimension()]++
	}
}

// makeSeries makes the series that an account does not have yet, all in one.
func (l *Ledger) makeSeries(f *families, a *account) {
	if a.allMade(f) {
		return
	}
	values := make([]string, 0, 3)
	values = append(values, l.c.Target)
	switch {
	case a == &l.whole:
	case a == &l.other:
		values = append(values, Other)
	default:
		values = append(values, a.id.String())
	}
	l.zero.Init(&a.total, f.total, values...)
	cell := append(values, "") //nolint:gocritic // the same array on purpose: one value more
	for i := range a.cells {
		c := &a.cells[i]
		if family := f.cells[c.k.dimension()]; family != nil {
			cell[len(values)] = l.name(c.k)
			l.zero.Init(&c.Count, family, cell...)
		}
	}
	l.zero.Make()
}

func (l *Ledger) name(k key) string { return l.tables[k.dimension()].names[k.value()] }

// allMade tells that an account has all of its series, as nearly always.
func (a *account) allMade(f *families) bool {
	if !a.total.HasSeries() {
		return false
	}
	for i := range a.cells {
		if c := &a.cells[i]; f.cells[c.k.dimension()] != nil && !c.HasSeries() {
			return false
		}
	}
	return true
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
