package planner

import (
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/collector/topk"
)

// Shares of a plan's calls. Round robin gets what the two leave, which is half at least.
const (
	recheckShare = 0.25
	// changedShare was measured: docs/decisions/0006-forensics-order.md.
	changedShare = 0.04
)

// Plan is a selection of calls in the making, while the rows of a window report are read.
type Plan struct {
	planner    *Planner
	now        time.Time
	calls      int
	findings   func(tokenid.ID) (answered time.Time, ok bool)
	candidates [retry]topk.Best[tokenid.ID, []byte] // by queue; nothing is selected for priority
	skipped    map[tokenid.ID]bool
	rows       int // that need a call
}

// NewPlan begins a plan of a number of calls. The function findings returns when a token with
// findings was last answered, and false for a token without.
func (p *Planner) NewPlan(calls int, now time.Time, findings func(tokenid.ID) (answered time.Time, ok bool)) *Plan {
	s := &Plan{planner: p, now: now, calls: calls, findings: findings, skipped: map[tokenid.ID]bool{}}
	for q, share := range map[queue]float64{recheck: recheckShare, changed: changedShare, roundRobin: 1} {
		s.candidates[q].Reset(int(float64(calls) * share))
	}
	return s
}

// Offer considers one row of the window report: a token and its requests. It copies the token if it
// keeps it. A token may be offered several times.
func (s *Plan) Offer(id tokenid.ID, token []byte, requests int64) {
	p := s.planner
	if p.skipped[id] {
		s.skipped[id] = true
		return
	}
	if s.calls == 0 {
		return
	}
	if answered, ok := s.findings(id); ok {
		if age := s.now.Sub(answered); age >= p.recheckAfter {
			s.rows++
			s.offer(recheck, id, token, uint64(age)) // oldest answer first
		}
		return
	}
	s.rows++
	// Tokens that changed alike are ordered by how long round robin takes to reach them, the
	// longest first: those just ahead of the cursor are requested soon anyway.
	if change := p.traffic.observe(id, requests); change > 1 {
		s.offer(changed, id, token, ^(^uint64(change)<<50 | uint64(p.cursor.at-id)>>14))
	}
	s.offer(roundRobin, id, token, ^uint64(id-p.cursor.at))
}

// offer adds a token to the candidates for a queue, unless it is one.
func (s *Plan) offer(q queue, id tokenid.ID, token []byte, score uint64) {
	candidates := &s.candidates[q]
	if candidates.Get(id) != nil {
		return
	}
	if added, _, _ := candidates.Add(id, score); added != nil {
		added.Value = append(added.Value[:0], token...)
	}
}

// Commit makes the plan the current one and drops what is left of the one before, except for
// priority calls. A plan that is not committed, because its report could not be read to the end,
// changes no queue.
func (s *Plan) Commit() {
	p := s.planner
	p.previous = time.Time{}
	if p.unplanned+p.waiting(recheck) == 0 {
		p.previous = p.made
	}
	p.made = s.now
	for _, c := range p.queues[retry] {
		if c.queue == priority {
			p.queues[priority] = append(p.queues[priority], c)
		}
	}
	clear(p.queues[recheck:])
	p.skipped = s.skipped // tokens that left the window are forgotten
	p.coveredBefore, p.covered = p.covered, map[tokenid.ID]bool{}
	clear(p.failed)

	selected := map[tokenid.ID]bool{}
	s.fill(recheck, selected)
	if s.candidates[roundRobin].Len() > s.calls-len(selected) { // else round robin requests all
		s.fill(changed, selected)
	}
	s.fill(roundRobin, selected)
	p.unplanned = max(0, s.rows-len(selected))
}

// fill turns the candidates for a queue into calls, one a token, while there are calls left.
func (s *Plan) fill(q queue, selected map[tokenid.ID]bool) {
	for _, x := range s.candidates[q].Sorted() {
		if len(selected) < s.calls && !selected[x.Key] {
			selected[x.Key] = true
			s.planner.queues[q] = append(s.planner.queues[q], Call{ID: x.Key, Token: x.Value, queue: q})
		}
	}
}
