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
	rechecks   map[tokenid.ID]struct{} // tokens for the recheck queue, selected or not
	flagged    map[tokenid.ID]bool     // tokens with findings
	covered    map[tokenid.ID]bool     // tokens that were answered in the plan before
	full       bool                    // there are more tokens for round robin than calls
}

// NewPlan begins a plan of a number of calls. The function findings returns when a token with
// findings was last answered, and false for a token without.
func (p *Planner) NewPlan(calls int, now time.Time, findings func(tokenid.ID) (answered time.Time, ok bool)) *Plan {
	s := &Plan{
		planner: p, now: now, calls: calls, findings: findings,
		skipped: map[tokenid.ID]bool{}, rechecks: map[tokenid.ID]struct{}{},
		flagged: map[tokenid.ID]bool{}, covered: map[tokenid.ID]bool{},
	}
	switch {
	case calls == 0: // without forensics nothing is remembered
	case p.report == nil:
		p.traffic, p.report = new(trafficMemory), new(reportTraffic)
	default:
		p.report.reset()
	}
	for q, share := range map[queue]float64{recheck: recheckShare, changed: changedShare, roundRobin: 1} {
		s.candidates[q].Reset(int(float64(calls) * share))
	}
	return s
}

// Offer considers one row of the window report: a token and its requests. It copies the token if it
// keeps it. A token may have several rows: its requests are their sum.
func (s *Plan) Offer(id tokenid.ID, token []byte, requests int64) {
	p := s.planner
	if p.skipped[id] || len(token) > maxToken {
		if len(s.skipped) < maxSkipped {
			s.skipped[id] = true
		}
		return
	}
	if s.calls == 0 {
		return
	}
	if p.covered[id] {
		s.covered[id] = true
	}
	if answered, ok := s.findings(id); ok {
		s.flagged[id] = true
		if age := s.now.Sub(answered); age >= p.recheckAfter {
			s.rechecks[id] = struct{}{}
			s.offer(recheck, id, token, uint64(age)) // oldest answer first
		}
		return
	}
	p.report.add(id, requests)
	if change := s.change(id); change > 1 || change < -1 {
		// The largest rise first. A fall may be none once the token's other rows are read, so that
		// all falls come after the rises. Tokens that changed alike are ordered by how long round
		// robin takes to reach them, the longest first: those just ahead of the cursor are
		// requested soon anyway.
		s.offer(changed, id, token, ^(^uint64(max(change, 0))<<50 | uint64(p.cursor.at-id)>>14))
	}
	if lost := s.offer(roundRobin, id, token, ^uint64(id-p.cursor.at)); lost {
		s.full = true
	}
}

// change returns how much the requests of a token changed since the last report, in doublings: of
// the rows that were read so far. A new token has changed from 0.
func (s *Plan) change(id tokenid.ID) int {
	return s.planner.report.level(id) - s.planner.traffic.level(id)
}

// offer adds a token to the candidates for a queue, or raises its score if it is one. It reports
// whether it, or another for it, is no candidate because there are enough.
func (s *Plan) offer(q queue, id tokenid.ID, token []byte, score uint64) (lost bool) {
	candidates := &s.candidates[q]
	if c := candidates.Get(id); c != nil {
		if score > c.Score {
			candidates.Raise(c, score)
		}
		return false
	}
	added, _, lost := candidates.Add(id, score)
	if added != nil {
		added.Value = append(added.Value[:0], token...)
	}
	return lost
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
	// Tokens that left the window are forgotten.
	p.skipped, p.flagged = s.skipped, s.flagged
	p.coveredBefore, p.covered = s.covered, map[tokenid.ID]bool{}
	clear(p.failed)
	p.tokens = s.tokens() + len(s.flagged) + len(s.skipped)

	selected := map[tokenid.ID]bool{}
	s.fill(recheck, selected)
	if s.full || s.candidates[roundRobin].Len() > s.calls-len(selected) { // else round robin requests all
		s.fill(changed, selected)
	}
	s.fill(roundRobin, selected)
	p.unplanned = max(0, s.tokens()+len(s.rechecks)-len(selected))
	if s.calls > 0 {
		p.report.remember(p.traffic)
	}
}

// tokens returns how many tokens round robin is to request: exactly, as long as the plan has room
// for them, so that a plan that covers all is known to.
func (s *Plan) tokens() int {
	if !s.full {
		return s.candidates[roundRobin].Len()
	}
	if s.calls == 0 {
		return 0
	}
	return s.planner.report.tokens
}

// fill turns the candidates for a queue into calls, one a token, while there are calls left.
func (s *Plan) fill(q queue, selected map[tokenid.ID]bool) {
	for _, x := range s.candidates[q].Sorted() {
		if change := s.change(x.Key); q == changed && change >= -1 && change <= 1 {
			continue // it had fallen until its last row was read
		}
		if len(selected) < s.calls && !selected[x.Key] {
			selected[x.Key] = true
			s.planner.queues[q] = append(s.planner.queues[q], Call{ID: x.Key, Token: x.Value, queue: q})
		}
	}
}
