package ledger

import (
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// Stage gives the counter series as they will be served from now on. Published or
// Withdrawn must follow before the next reading. A cycle that commits twice gets the same
// blocks twice, if nothing was read in between.
func (l *Ledger) Stage(now time.Time) []metrics.Block {
	l.unchanged = l.staged != nil && l.births.staged == now.UnixNano()
	if l.unchanged {
		l.births.any = false
		return slices.Clone(l.staged)
	}
	l.births.staged, l.births.any = now.UnixNano(), false
	blocks := l.stage(nil, wholeFamilies(), &l.whole, nil)
	if l.c.MaxTokens > 0 {
		blocks = l.stage(blocks, tokenFamilies(l.c.Dimensions), &l.other, l.sorted())
	}
	l.staged = blocks
	return slices.Clone(blocks)
}

// Unchanged tells that the last Stage gave what the one before it gave, and that the State
// is the same, too.
func (l *Ledger) Unchanged() bool { return l.unchanged }

// Published tells that what was staged at now is served.
func (l *Ledger) Published(now time.Time) {
	l.withheld = false
	if !l.births.any {
		return
	}
	at := now.UnixNano()
	b := &l.births
	if at != b.staged {
		l.staged = nil // their created timestamps become others
	}
	b.published(&l.whole, at)
	b.published(&l.other, at)
	for _, p := range l.places {
		b.published(&l.accounts[p], at)
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
	l.bear(&f, first, places)
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
		s := l.births.sample(&a.total)
		a.behind = s.Value != a.total.Value
		total = append(total, s)
		for i := range a.cells {
			c := &a.cells[i]
			d := c.k.dimension()
			if f.cells[d] == nil {
				continue
			}
			s := l.births.sample(&c.count)
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

// together is how many accounts are worth a goroutine of their own: most of the first cycle of a large ABS is the texts
// of its series.
const together = 1000

// bear makes the series that accounts do not have yet: of the first one, and of those at places.
func (l *Ledger) bear(f *families, first *account, places []int) {
	if len(l.makers) == 0 {
		l.makers = make([]maker, runtime.GOMAXPROCS(0))
	}
	l.makers[0].bear(l, f, first)
	var all sync.WaitGroup
	share := max(together, (len(places)+len(l.makers)-1)/len(l.makers))
	for i, of := range slices.Collect(slices.Chunk(places, share)) {
		bear := func() {
			for _, p := range of {
				l.makers[i].bear(l, f, &l.accounts[p])
			}
		}
		if len(places) <= share {
			bear()
			break
		}
		all.Go(bear)
	}
	all.Wait()
	for i := range l.makers {
		l.births.any = l.births.any || l.makers[i].any
		l.makers[i].any = false
	}
}

// maker makes series of accounts, one account after the other.
type maker struct {
	batch metrics.Batch
	any   bool // one of them is shown for the first time
}

// bear makes the series of an account that it does not have yet, all in one.
func (m *maker) bear(l *Ledger, f *families, a *account) {
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
	if !a.total.made() {
		m.any = m.any || a.total.born == 0
		m.batch.Add(f.total, l.births.created(&a.total), values...)
	}
	cell := append(values, "") //nolint:gocritic // the same array on purpose: one place more
	for i := range a.cells {
		if c := &a.cells[i]; f.wants(c) {
			m.any = m.any || c.born == 0
			cell[len(values)] = l.name(c.k)
			m.batch.Add(f.cells[c.k.dimension()], l.births.created(&c.count), cell...)
		}
	}
	made := m.batch.Make()
	if !a.total.made() {
		a.total.series, made = &made[0], made[1:]
	}
	for i := range a.cells {
		if c := &a.cells[i]; f.wants(c) {
			c.series, made = &made[0], made[1:]
		}
	}
}

// wants tells that a cell has no series yet and is to have one.
func (f *families) wants(c *accountCell) bool {
	return !c.made() && f.cells[c.k.dimension()] != nil
}

func (l *Ledger) name(k key) string { return l.tables[k.dimension()].names[k.value()] }

// allMade tells that an account has all of its series, as nearly always.
func (a *account) allMade(f *families) bool {
	if !a.total.made() {
		return false
	}
	for i := range a.cells {
		if f.wants(&a.cells[i]) {
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
