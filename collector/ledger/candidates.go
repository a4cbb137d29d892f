package ledger

import (
	"container/heap"
	"slices"
)

// candidates keeps the best tokens for a number of places, with what was told of
// them, while the rows go by: the worst is on top of the heap.
type candidates struct {
	limit int
	heap  candidateHeap
	spare []*candidate
	of    map[TokenID]*candidate
	// passed is a filter over the ids that were passed over: one of them that comes
	// again cannot be admitted in this reading, as part of what is told of it would be
	// missing. A token mistaken for one of them has a new chance in the next reading.
	passed []uint64
	salt   uint64
}

// passedWords makes the filter 1 MiB: of a million tokens passed over it mistakes one
// in eight.
const passedWords = 1 << 17

type candidate struct {
	id       TokenID
	attacked bool
	told     vector
	at       int // in the heap
}

func (c *candidates) reset(limit int) {
	c.limit = limit
	c.spare = append(c.spare, c.heap...)
	c.heap = c.heap[:0]
	if c.of == nil {
		c.of = make(map[TokenID]*candidate, limit)
	}
	clear(c.of)
	if limit == 0 {
		return
	}
	if c.passed == nil {
		c.passed = make([]uint64, passedWords)
	}
	clear(c.passed)
	c.salt += 0x9e3779b97f4a7c15 // another mistake each time
}

// bit is where an id stands in the filter.
func (c *candidates) bit(id TokenID) (word, mask uint64) {
	h := (uint64(id) ^ c.salt) * 0xff51afd7ed558ccd
	h ^= h >> 32
	return h / 64 % passedWords, 1 << (h % 64)
}

// offer takes a row of a token without a place.
func (c *candidates) offer(id TokenID, requests int64, attacked bool, cells []cell) {
	if c.limit == 0 {
		return
	}
	if k, ok := c.of[id]; ok {
		k.told.total += requests
		for _, x := range cells {
			k.told.add(x.k, x.n)
		}
		heap.Fix(&c.heap, k.at)
		return
	}
	word, mask := c.bit(id)
	if c.passed[word]&mask != 0 {
		return
	}
	if len(c.heap) == c.limit {
		worst := c.heap[0]
		if !better(attacked, requests, id, worst) {
			c.passed[word] |= mask
			return
		}
		heap.Pop(&c.heap)
		delete(c.of, worst.id)
		word, mask = c.bit(worst.id)
		c.passed[word] |= mask
		c.spare = append(c.spare, worst)
	}
	k := c.take()
	k.id, k.attacked = id, attacked
	k.told.reset()
	k.told.total = requests
	for _, x := range cells {
		k.told.add(x.k, x.n)
	}
	c.of[id] = k
	heap.Push(&c.heap, k)
}

func (c *candidates) take() *candidate {
	if n := len(c.spare); n > 0 {
		k := c.spare[n-1]
		c.spare = c.spare[:n-1]
		return k
	}
	return &candidate{}
}

// best gives the candidates, the best first. The heap is none afterwards.
func (c *candidates) best() []*candidate {
	slices.SortFunc(c.heap, func(a, b *candidate) int {
		if better(a.attacked, a.told.total, a.id, b) {
			return -1
		}
		return 1
	})
	return c.heap
}

// better orders candidates: under attack first, then the busier one; the id decides
// between equals, so that the choice can be repeated.
func better(attacked bool, requests int64, id TokenID, than *candidate) bool {
	switch {
	case attacked != than.attacked:
		return attacked
	case requests != than.told.total:
		return requests > than.told.total
	default:
		return id < than.id
	}
}

type candidateHeap []*candidate

func (h candidateHeap) Len() int { return len(h) }
func (h candidateHeap) Less(i, j int) bool {
	return better(h[j].attacked, h[j].told.total, h[j].id, h[i])
}

func (h candidateHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

func (h *candidateHeap) Push(x any) {
	k := x.(*candidate) //nolint:forcetypeassert // the heap holds nothing else
	k.at = len(*h)
	*h = append(*h, k)
}

func (h *candidateHeap) Pop() any {
	old := *h
	k := old[len(old)-1]
	*h = old[:len(old)-1]
	return k
}
