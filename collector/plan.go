package collector

import (
	"cmp"
	"container/heap"
	"math"
	"slices"

	"github.com/abs-exporter/abs-exporter/collector/ledger"
)

// plan is which tokens to ask forensics about until the window is read again. A token
// is held here and nowhere else, and only until it was asked about.
type plan struct {
	todo    []question
	cursor  ledger.TokenID // where in the space of token ids the turn has come to
	covered int
	failed  int
	skipped int64 // tokens of the window for which the budget had no call
}

type question struct {
	id     ledger.TokenID
	token  []byte
	inTurn bool
}

// choice is the plan that is made while the rows of the window report go by: tokens
// with findings are asked again, so that an end is seen, with at most a quarter of the
// calls; the others in turn through all tokens.
type choice struct {
	budget   int
	cursor   ledger.TokenID
	suspects map[ledger.TokenID]*suspect
	seen     map[ledger.TokenID]struct{} // of the suspects
	again    []question
	turn     turnHeap
	inTurn   map[ledger.TokenID]struct{} // those in the heap
	offered  int64
}

func (p *plan) choose(t *target) *choice {
	budget := 0
	if t.o.Forensics && t.Forensics {
		budget = int(math.Ceil(t.o.ForensicsRate * t.o.Reread.Seconds()))
	}
	return &choice{
		budget: budget, cursor: p.cursor, suspects: t.attacks.suspects,
		seen: map[ledger.TokenID]struct{}{}, inTurn: map[ledger.TokenID]struct{}{},
	}
}

// offer takes a row's token. The same token may come twice.
func (c *choice) offer(id ledger.TokenID, token []byte) {
	if s, ok := c.suspects[id]; ok && len(s.findings) > 0 {
		if _, seen := c.seen[id]; !seen {
			c.seen[id] = struct{}{}
			c.again = append(c.again, question{id: id, token: slices.Clone(token)})
		}
		return
	}
	if _, ok := c.suspects[id]; ok {
		c.seen[id] = struct{}{}
	}
	if _, ok := c.inTurn[id]; ok || c.budget == 0 {
		return
	}
	c.offered++
	if len(c.turn.questions) >= c.budget {
		last := c.turn.questions[0]
		if id-c.cursor >= last.id-c.cursor {
			return
		}
		delete(c.inTurn, last.id)
		heap.Pop(&c.turn)
	}
	c.turn.cursor = c.cursor
	c.inTurn[id] = struct{}{}
	heap.Push(&c.turn, question{id: id, token: slices.Clone(token), inTurn: true})
}

// done is the plan: suspects first, the longest unheard first, then the others in turn.
func (c *choice) done() plan {
	slices.SortFunc(c.again, func(a, b question) int {
		return c.suspects[a.id].answered.Compare(c.suspects[b.id].answered)
	})
	p := plan{cursor: c.cursor, todo: c.again[:min(len(c.again), max(1, c.budget/4))]}
	slices.SortFunc(c.turn.questions, func(a, b question) int { return cmp.Compare(a.id-c.cursor, b.id-c.cursor) })
	turn := c.turn.questions[:min(len(c.turn.questions), c.budget-len(p.todo))]
	p.skipped = c.offered - int64(len(turn)) + int64(len(c.again)-len(p.todo))
	p.todo = append(p.todo, turn...)
	return p
}

// turnHeap keeps the questions nearest after the cursor: the farthest is on top.
type turnHeap struct {
	cursor    ledger.TokenID
	questions []question
}

func (h *turnHeap) Len() int { return len(h.questions) }
func (h *turnHeap) Less(i, j int) bool {
	return h.questions[i].id-h.cursor > h.questions[j].id-h.cursor
}

func (h *turnHeap) Swap(i, j int) { h.questions[i], h.questions[j] = h.questions[j], h.questions[i] }
func (h *turnHeap) Push(x any)    { h.questions = append(h.questions, x.(question)) } //nolint:forcetypeassert // the heap holds nothing else
func (h *turnHeap) Pop() any {
	n := len(h.questions) - 1
	q := h.questions[n]
	h.questions = h.questions[:n]
	return q
}
