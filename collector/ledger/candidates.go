package ledger

import (
	"container/heap"
	"slices"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// candidates keeps the best tokens for a number of places, with what was told of
// them, while the rows go by: the worst is on top of the heap.
type candidates struct {
	limit int
	heap  candidateHeap // a heap once it is full; before, in no order
	spare []*candidate
	of    map[tokenid.ID]*candidate
	// passed is a filter over the ids that were passed over: one of them that comes
	// again cannot be admitted in this reading, as part of what is told of it would be
	// missing. A token mistaken for one of them has a new chance in the next reading.
	passed    []uint64
	passedAny bool
	salt      uint64
}

// passedWords makes the filter 1 MiB: of a million tokens passed over it mistakes one
// in eight.
const passedWords = 1 << 17

// maxSpare is how many candidates are kept for later readings although fewer places are
// open by then.
const maxSpare = 1024

type candidate struct {
	id       tokenid.ID
	attacked bool
	told     vector
	at       int // in the heap
}

func (c *candidates) reset(limit int) {
	c.limit = limit
	if spare := len(c.spare) + len(c.heap); spare > 2*limit+maxSpare {
		c.heap, c.spare, c.of = nil, nil, nil // of when more places were open
	}
	c.spare = append(c.spare, c.heap...)
	c.heap = c.heap[:0]
	if limit == 0 {
		return
	}
	if c.of == nil {
		c.of = make(map[tokenid.ID]*candidate, min(limit, maxSpare))
	}
	clear(c.of)
	if c.passedAny {
		clear(c.passed)
		c.passedAny = false
	}
	c.salt += 0x9e3779b97f4a7c15 // another mistake each time
}

// bit is where an id stands in the filter.
func (c *candidates) bit(id tokenid.ID) (word, mask uint64) {
	h := (uint64(id) ^ c.salt) * 0xff51afd7ed558ccd
	h ^= h >> 32
	return h / 64 % passedWords, 1 << (h % 64)
}

func (c *candidates) wasPassed(id tokenid.ID) bool {
	if !c.passedAny {
		return false
	}
	word, mask := c.bit(id)
	return c.passed[word]&mask != 0
}

func (c *candidates) pass(id tokenid.ID) {
	if c.passed == nil {
		c.passed = make([]uint64, passedWords)
	}
	word, mask := c.bit(id)
	c.passed[word] |= mask
	c.passedAny = true
}

// offer takes a row of a token without a place. It puts the cells in order.
func (c *candidates) offer(id tokenid.ID, requests int64, attacked bool, cells []cell) {
	if c.limit == 0 {
		return
	}
	full := len(c.heap) == c.limit
	if k, ok := c.of[id]; ok {
		k.told.total += requests
		k.told.merge(inOrder(cells), 1)
		if full {
			heap.Fix(&c.heap, k.at)
		}
		return
	}
	if c.wasPassed(id) {
		return
	}
	var k *candidate
	if full {
		worst := c.heap[0]
		if !better(attacked, requests, id, worst) {
			c.pass(id)
			return
		}
		delete(c.of, worst.id)
		c.pass(worst.id)
		k = worst
	} else {
		k = c.take()
		k.at = len(c.heap)
		c.heap = append(c.heap, k)
	}
	k.id, k.attacked = id, attacked
	k.told.reset()
	k.told.total = requests
	k.told.merge(inOrder(cells), 1)
	c.of[id] = k
	switch {
	case full:
		heap.Fix(&c.heap, k.at)
	case len(c.heap) == c.limit:
		heap.Init(&c.heap)
	}
}

func (c *candidates) take() *candidate {
	if len(c.spare) == 0 {
		block := make([]candidate, 64)
		for i := range block {
			c.spare = append(c.spare, &block[i])
		}
	}
	last := len(c.spare) - 1
	k := c.spare[last]
	c.spare = c.spare[:last]
	return k
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
func better(attacked bool, requests int64, id tokenid.ID, than *candidate) bool {
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

// Push and Pop are for heap.Interface alone: the heap is filled before it is one, and
// what comes takes the place of the worst.
func (h *candidateHeap) Push(any) {}

// Pop is as Push.
func (h *candidateHeap) Pop() any { return nil }
