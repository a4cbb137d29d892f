package reports

import (
	"bytes"
	"cmp"
	"slices"
)

// Bounds of one row, whatever ABS sends. Names past them fold into Other, whose requests count on.
// They are far above what can have series of its own: --series.max-values.
const (
	// maxNames bounds how many counts of one list of a row are held, and keptNames how many of them,
	// the busiest, remain when it is full.
	maxNames  = 16 << 10
	keptNames = 4 << 10
	// maxRowText bounds, in bytes, the texts of a row, and keptText the names of one list that
	// remain when that is full.
	maxRowText = 4 << 20
	keptText   = 256 << 10
	// maxKept bounds, in bytes, the texts of one unusual row whose buffer the next rows use.
	maxKept = 1 << 20
)

// names is one list of counts of a row. It may have a count for each of many addresses, and hostile
// or broken answers have millions of names. So a full list is folded: counts of the same name are
// added up; then the busiest names remain, and Other gets the requests of the rest.
//
// Half of the names that remain are those with the most requests. The other half are those with the
// highest scores of a Misra-Gries summary: a name with more than two in keptNames of all requests
// of the list has a score above 0 from its last occurrence to the end, even where its requests are
// spread thinly over millions of counts.
type names struct {
	counts []Count
	sum    int64 // of all counts, Other's included
	other  int64 // requests of names that did not remain
	// deducted is what the scores of counts[i] are below their requests; beyond it, nothing.
	deducted []int64
}

// busyName is an entry of a list that is being folded.
type busyName struct {
	Count
	deducted int64
}

func (b *busyName) score() int64 { return max(0, b.N-b.deducted) }

// fold shortens the list to keptNames names of keptText bytes. It uses the given space and returns
// it.
func (l *names) fold(space []busyName) []busyName {
	space = space[:0]
	for i, c := range l.counts {
		b := busyName{Count: c}
		if i < len(l.deducted) {
			b.deducted = l.deducted[i]
		}
		space = append(space, b)
	}
	all := addUp(space)
	if len(all) > keptNames {
		slices.SortFunc(all, func(a, b busyName) int { return cmp.Or(cmp.Compare(b.N, a.N), bytes.Compare(a.Key, b.Key)) })
		slices.SortFunc(all[keptNames/2:], func(a, b busyName) int {
			return cmp.Or(cmp.Compare(b.score(), a.score()), bytes.Compare(a.Key, b.Key))
		})
		deduct := all[keptNames].score()
		for i := range all[:keptNames] {
			all[i].deducted = min(all[i].N, all[i].deducted+deduct)
		}
	}
	l.counts, l.deducted = l.counts[:0], l.deducted[:0]
	text := 0
	for i, b := range all {
		if text += len(b.Key); i >= keptNames || text > keptText {
			text -= len(b.Key)
			l.other += b.N
			continue
		}
		l.counts = append(l.counts, b.Count)
		l.deducted = append(l.deducted, b.deducted)
	}
	clear(space) // no text is held by it
	return space
}

// addUp sorts entries by name and adds up those of one name.
func addUp(entries []busyName) []busyName {
	slices.SortFunc(entries, func(a, b busyName) int { return bytes.Compare(a.Key, b.Key) })
	n := 0
	for _, b := range entries {
		if n > 0 && bytes.Equal(entries[n-1].Key, b.Key) {
			entries[n-1].N += b.N
			entries[n-1].deducted += b.deducted
			continue
		}
		entries[n] = b
		n++
	}
	return entries[:n]
}

// take returns the counts, with Other if there is one.
func (l *names) take() []Count {
	if l.other > 0 {
		l.counts = append(l.counts, Count{Key: []byte(Other), N: l.other})
	}
	return l.counts
}

// clone returns a copy that later counts do not change.
func (l *names) clone() names {
	c := *l
	c.counts, c.deducted = slices.Clone(l.counts), slices.Clone(l.deducted)
	return c
}

// restore makes the list what it was, in the memory that it has.
func (l *names) restore(c *names) {
	*l = names{counts: append(l.counts[:0], c.counts...), sum: c.sum, other: c.other, deducted: append(l.deducted[:0], c.deducted...)}
}

func (l *names) clear() {
	*l = names{counts: l.counts[:0], deducted: l.deducted[:0]}
}
