package planner

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// Suspect is what is known of a token that was asked about before.
type Suspect struct {
	Answered time.Time
	Findings bool
}

// Choice is a plan in the making, while the rows of the window report go by.
type Choice struct {
	p        *Planner
	now      time.Time
	budget   int
	suspects func(tokenid.ID) (Suspect, bool)
	again    best
	changed  best
	turn     best
	rows     int64
	refused  map[tokenid.ID]struct{}
	fresh    int64 // with findings, and asked about lately
}

// Choose begins a plan for a number of calls. suspects tells what is known of a token.
func (p *Planner) Choose(budget int, now time.Time, suspects func(tokenid.ID) (Suspect, bool)) *Choice {
	return &Choice{
		p: p, now: now, budget: budget, suspects: suspects,
		again: newBest(int(float64(budget) * againShare)), changed: newBest(int(float64(budget) * p.changed)),
		turn: newBest(budget), refused: map[tokenid.ID]struct{}{},
	}
}

// Offer takes a row of the report. A token with several rows may be offered several
// times.
func (c *Choice) Offer(id tokenid.ID, token []byte, requests int64) {
	if c.p.isRefused(id) {
		c.refused[id] = struct{}{}
		return
	}
	if c.budget == 0 {
		return
	}
	c.rows++
	if s, ok := c.suspects(id); ok && s.Findings {
		if age := c.now.Sub(s.Answered); age >= c.p.again {
			c.again.offer(id, token, ^uint64(age)) // the longest unheard first
		} else {
			c.fresh++
		}
		return
	}
	if change := c.p.memory.change(id, requests); change > 1 {
		// Equals are told apart by their ids, as far as those are from the turn: what it
		// comes to soon need not be asked about twice.
		c.changed.offer(id, token, uint64(1000-change)<<50|uint64(c.p.turn.at-id)>>14)
	}
	c.p.memory.set(id, requests)
	c.turn.offer(id, token, uint64(id-c.p.turn.at))
}

// Done makes the plan the one that is followed. A choice whose report could not be read
// whole is dropped instead, and the former plan goes on.
func (c *Choice) Done() {
	p := c.p
	p.adapt()
	p.former = time.Time{}
	if p.beyond == 0 && len(p.first)+len(p.turns) == 0 {
		p.former = p.made
	}
	p.made = c.now
	for _, q := range p.turns {
		if q.Kind == Hinted { // a retry that was not come to
			p.hinted = append(p.hinted, q)
		}
	}
	p.first, p.turns = p.first[:0], p.turns[:0]
	p.refused = c.refused // those that the window still holds
	p.before, p.covered = p.covered, map[tokenid.ID]struct{}{}
	clear(p.failed)
	chosen := map[tokenid.ID]struct{}{}
	take := func(to *[]Question, from *best, kind Kind) {
		for _, x := range from.sorted() {
			if _, twice := chosen[x.id]; twice || len(chosen) == c.budget {
				continue
			}
			chosen[x.id] = struct{}{}
			*to = append(*to, Question{ID: x.id, Token: x.token, Kind: kind})
		}
	}
	take(&p.first, &c.again, Again)
	if len(c.turn.heap) > c.budget-len(chosen) { // not all fit, so that there is a choice
		take(&p.first, &c.changed, Changed)
	}
	take(&p.turns, &c.turn, InTurn)
	p.beyond = max(0, c.rows-int64(len(chosen))-c.fresh)
}

// best keeps the tokens of least score, a token each.
type best struct {
	limit int
	heap  scoreHeap // the worst on top
	in    map[tokenid.ID]struct{}
}

type scored struct {
	id    tokenid.ID
	token []byte
	score uint64
}

func newBest(limit int) best { return best{limit: limit, in: map[tokenid.ID]struct{}{}} }

func (b *best) offer(id tokenid.ID, token []byte, score uint64) {
	if b.limit == 0 {
		return
	}
	if len(b.heap) == b.limit {
		if score >= b.heap[0].score {
			return
		}
	}
	if _, twice := b.in[id]; twice {
		return
	}
	var buffer []byte
	if len(b.heap) == b.limit {
		worst := heap.Pop(&b.heap).(scored) //nolint:forcetypeassert // the heap holds nothing else
		delete(b.in, worst.id)
		buffer = worst.token[:0]
	}
	b.in[id] = struct{}{}
	heap.Push(&b.heap, scored{id, append(buffer, token...), score})
}

func (b *best) sorted() []scored {
	slices.SortFunc(b.heap, func(x, y scored) int { return cmp.Compare(x.score, y.score) })
	return b.heap
}

type scoreHeap []scored

func (h scoreHeap) Len() int           { return len(h) }
func (h scoreHeap) Less(i, j int) bool { return h[i].score > h[j].score }
func (h scoreHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *scoreHeap) Push(x any)        { *h = append(*h, x.(scored)) } //nolint:forcetypeassert // nobody pushes anything else
func (h *scoreHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
