// Package topk keeps the best of many entries while they go by.
package topk

import (
	"cmp"
	"slices"
)

// Best keeps the entries with the highest scores, up to a limit; of equal scores, those with the
// lower key. Which entries are kept, and in which order, depends on the offers alone. Entries that
// were evicted are used again, buffers in their values included. The zero value keeps nothing
// before Reset.
type Best[K cmp.Ordered, V any] struct {
	limit   int
	entries []*Entry[K, V] // a heap with the worst on top once full; before, in no order
	byKey   map[K]*Entry[K, V]
	spare   []*Entry[K, V]
}

// Entry is a key with its score and whatever belongs to it.
type Entry[K cmp.Ordered, V any] struct {
	Key   K
	Score uint64 // changed by Raise alone
	Value V
	at    int // in the heap
}

// maxSpare is how many entries are kept for later although fewer were needed.
const maxSpare = 1024

// Reset removes all entries and sets the limit.
func (b *Best[K, V]) Reset(limit int) {
	b.limit = limit
	if len(b.spare)+len(b.entries) > 2*min(limit, len(b.entries))+maxSpare {
		b.entries, b.spare, b.byKey = nil, nil, nil
	}
	b.spare = append(b.spare, b.entries...)
	b.entries = b.entries[:0]
	if limit > 0 && b.byKey == nil {
		b.byKey = make(map[K]*Entry[K, V], min(limit, maxSpare))
	}
	clear(b.byKey)
}

// Len returns how many entries are kept.
func (b *Best[K, V]) Len() int { return len(b.entries) }

// Limit returns how many entries are kept at most.
func (b *Best[K, V]) Limit() int { return b.limit }

// Get returns the entry of a key, or nil.
func (b *Best[K, V]) Get(key K) *Entry[K, V] { return b.byKey[key] }

// Add offers a key that has no entry. It returns the new entry, whose Value is as a former entry
// left it, or nil if all that are kept are better. Once the limit is reached, lost is the key that
// is not kept, the offered one or the one evicted for it, and full is true.
func (b *Best[K, V]) Add(key K, score uint64) (added *Entry[K, V], lost K, full bool) {
	if len(b.entries) < b.limit {
		added = b.unused()
		added.Key, added.Score, added.at = key, score, len(b.entries)
		b.byKey[key] = added
		b.entries = append(b.entries, added)
		if len(b.entries) == b.limit {
			for i := b.limit/2 - 1; i >= 0; i-- {
				b.down(i)
			}
		}
		return added, lost, false
	}
	if b.limit == 0 {
		return nil, key, true
	}
	worst := b.entries[0]
	if score < worst.Score || score == worst.Score && key > worst.Key {
		return nil, key, true
	}
	lost = worst.Key
	delete(b.byKey, lost)
	worst.Key, worst.Score = key, score
	b.byKey[key] = worst
	b.down(0)
	return worst, lost, true
}

// Raise sets the score of an entry, which must not be lower than before.
func (b *Best[K, V]) Raise(e *Entry[K, V], score uint64) {
	e.Score = score
	if len(b.entries) == b.limit {
		b.down(e.at)
	}
}

// Sorted returns the entries, the best first. They are valid until Reset, which must come before
// the next Add or Raise.
func (b *Best[K, V]) Sorted() []*Entry[K, V] {
	slices.SortFunc(b.entries, func(x, y *Entry[K, V]) int {
		return cmp.Or(cmp.Compare(y.Score, x.Score), cmp.Compare(x.Key, y.Key))
	})
	return b.entries
}

func (b *Best[K, V]) unused() *Entry[K, V] {
	if len(b.spare) == 0 {
		block := make([]Entry[K, V], 64)
		for i := range block {
			b.spare = append(b.spare, &block[i])
		}
	}
	last := len(b.spare) - 1
	e := b.spare[last]
	b.spare = b.spare[:last]
	return e
}

func (b *Best[K, V]) worse(i, j int) bool {
	x, y := b.entries[i], b.entries[j]
	return x.Score < y.Score || x.Score == y.Score && x.Key > y.Key
}

// down restores the heap where the entry at i may be better than those below it.
func (b *Best[K, V]) down(i int) {
	for {
		next := 2*i + 1
		if next+1 < len(b.entries) && b.worse(next+1, next) {
			next++
		}
		if next >= len(b.entries) || !b.worse(next, i) {
			return
		}
		b.entries[i], b.entries[next] = b.entries[next], b.entries[i]
		b.entries[i].at, b.entries[next].at = i, next
		i = next
	}
}
