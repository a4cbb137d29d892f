package planner

import "time"

// Coverage is how far forensics has come with the tokens of the window. Each of them is in one of
// the four states.
type Coverage struct {
	Covered int // tokens that were answered in this plan or the one before, and did not fail since
	Skipped int // tokens that ABS does not accept calls for
	Failed  int // tokens that were last requested in this plan, and without an answer
	Due     int // all others
	// Oldest is when the oldest answer about a token that stays in the window can be from; zero
	// until each of them was requested once.
	Oldest time.Time
}

// Coverage returns how far the current plan has come.
func (p *Planner) Coverage() Coverage {
	waiting := p.waiting(priority)
	c := Coverage{Covered: len(p.covered) + len(p.coveredBefore), Skipped: len(p.skipped), Failed: len(p.failed)}
	c.Due = max(0, p.tokens-c.Covered-c.Skipped-c.Failed)
	switch {
	case p.unplanned > 0:
		c.Oldest = p.cursor.oldest()
	case waiting == 0:
		c.Oldest = p.made
	default:
		c.Oldest = p.previous
	}
	return c
}

// waiting returns how many calls are in a queue and those after it.
func (p *Planner) waiting(from queue) int {
	n := 0
	for _, calls := range p.queues[from:] {
		n += len(calls)
	}
	return n
}
