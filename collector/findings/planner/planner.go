package planner

import (
	"math"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// Kind is why a token is asked about.
type Kind uint8

// The kinds, in the order in which they are asked.
const (
	Hinted  Kind = iota // one of ABS's cheap reports named it
	Again               // it has findings, and their end is to be seen
	Changed             // it is new, or its traffic changed most
	InTurn              // its turn has come
)

// Shares of a plan's calls. What the first three leave goes in turn, so that this is
// half at least, and every token of the window is asked about within a bound (Bound).
const (
	againShare = 0.25
	// The share of changed tokens moves with what asking about them brings: attacks need
	// not show in how busy a token is, and every call for a changed one makes the turn
	// longer.
	minChangedShare = 0.04
	maxChangedShare = 0.25
)

// Limits of what is remembered.
const (
	maxAhead    = 50    // calls that may go before those in turn, which get half in the long run
	maxTries    = 3     // calls about one token in one plan
	maxPending  = 10000 // hinted tokens that wait
	maxRefused  = 65536 // tokens that ABS refuses to be asked about
	turnRecords = 4096  // how finely the way of the turn is remembered
)

// Question is one call to make. The token is forgotten once it was answered.
type Question struct {
	ID    tokenid.ID
	Token []byte
	Kind  Kind
	tries int
}

// Planner holds the order of calls, from one reading of the window to the next.
type Planner struct {
	hinted []Question // asked first
	first  []Question // then these
	turns  []Question // and these in between, and when there are no others
	ahead  int        // how many more of the former than of the latter were handed out
	inHint map[tokenid.ID]struct{}
	again  time.Duration // findings are asked about again after this

	memory  *memory
	changed float64 // share of changed tokens
	yield   [InTurn + 1]rate
	turn    turn
	refused map[tokenid.ID]struct{}

	covered map[tokenid.ID]struct{} // in this plan
	before  map[tokenid.ID]struct{} // in the one before, and not in this one
	failed  map[tokenid.ID]struct{}
	beyond  int64     // tokens of the window for which the plan has no call
	made    time.Time // the plan
	former  time.Time // the one before, if it was worked through; else zero
}

// rate is how many calls found something new, fading.
type rate struct{ found, calls float64 }

func (r *rate) add(found bool) {
	const fade = 0.9998 // half after some 3,500 calls
	r.found *= fade
	r.calls = r.calls*fade + 1
	if found {
		r.found++
	}
}

// of is the share, as if one call in a thousand more had found something: few calls say
// little.
func (r rate) of() float64 { return (r.found + 1) / (r.calls + 1000) }

// New is a planner that asks about tokens with findings every again.
func New(again time.Duration) *Planner {
	return &Planner{
		again: again, memory: newMemory(), changed: minChangedShare,
		inHint: map[tokenid.ID]struct{}{}, refused: map[tokenid.ID]struct{}{},
		covered: map[tokenid.ID]struct{}{}, failed: map[tokenid.ID]struct{}{},
	}
}

// Cursor is where in the space of token ids the turn has come to. It is worth keeping
// across a restart.
func (p *Planner) Cursor() tokenid.ID { return p.turn.at }

// Resume goes on from a cursor.
func (p *Planner) Resume(cursor tokenid.ID) { p.turn.at = cursor }

// Hint puts a token that ABS names as suspect to the front. It is false when there is no
// room: the token then waits for its turn.
func (p *Planner) Hint(id tokenid.ID, token []byte) bool {
	if _, waits := p.inHint[id]; waits || p.isRefused(id) {
		return true
	}
	if len(p.hinted) >= maxPending {
		return false
	}
	p.inHint[id] = struct{}{}
	p.hinted = append(p.hinted, Question{ID: id, Token: append([]byte{}, token...), Kind: Hinted})
	return true
}

// Next is the next call to make. Answered, Failed, Refused or Return must follow.
func (p *Planner) Next() (q Question, ok bool) {
	from := &p.turns
	if p.ahead < maxAhead || len(p.turns) == 0 {
		switch {
		case len(p.hinted) > 0:
			from = &p.hinted
		case len(p.first) > 0:
			from = &p.first
		}
	}
	if len(*from) == 0 {
		return Question{}, false
	}
	if from == &p.turns {
		p.ahead = max(0, p.ahead-1)
	} else {
		p.ahead++
	}
	q = (*from)[0]
	(*from)[0].Token = nil
	*from = (*from)[1:]
	return q, true
}

// Return gives a question back that was not asked after all.
func (p *Planner) Return(q Question) {
	switch q.Kind {
	case Hinted:
		p.hinted = append([]Question{q}, p.hinted...)
	case Again, Changed:
		p.first = append([]Question{q}, p.first...)
	case InTurn:
		p.turns = append([]Question{q}, p.turns...)
	}
}

// Answered tells that ABS answered at a time, and whether it told of a finding that was
// not known.
func (p *Planner) Answered(q Question, found bool, at time.Time) {
	p.ended(q, at)
	p.yield[q.Kind].add(found)
	p.covered[q.ID] = struct{}{}
	delete(p.before, q.ID)
	delete(p.failed, q.ID)
}

// Failed tells that a call failed for a reason that is not the token's: it is tried
// again at the end of the plan.
func (p *Planner) Failed(q Question, at time.Time) {
	p.failed[q.ID] = struct{}{}
	if q.tries++; q.tries < maxTries {
		if q.Kind == InTurn {
			p.turn.pass(q.ID, at) // its turn is over; what is left of it is a retry
			q.Kind = Changed
		}
		p.turns = append(p.turns, q) // behind all others
		return
	}
	p.ended(q, at)
}

// Refused tells that ABS will not be asked about this token: it is too long, say. It is
// not asked about again.
func (p *Planner) Refused(q Question, at time.Time) {
	p.ended(q, at)
	if len(p.refused) < maxRefused {
		p.refused[q.ID] = struct{}{}
	}
}

func (p *Planner) ended(q Question, at time.Time) {
	switch q.Kind {
	case Hinted:
		delete(p.inHint, q.ID)
	case InTurn:
		p.turn.pass(q.ID, at)
	case Again, Changed:
	}
}

func (p *Planner) isRefused(id tokenid.ID) bool {
	_, refused := p.refused[id]
	return refused
}

// adapt moves the share of the changed tokens towards what has proved itself.
func (p *Planner) adapt() {
	if p.yield[Changed].of() > 1.5*p.yield[InTurn].of() {
		p.changed = min(maxChangedShare, p.changed*1.5)
		return
	}
	p.changed = max(minChangedShare, p.changed*0.8)
}

// Coverage is what forensics knows of the window's tokens.
type Coverage struct {
	Due     int // still to be asked about
	Covered int // answered in this plan or in the one before
	Skipped int // ABS refuses to be asked about them
	Failed  int // asked about since the plan was made, without an answer
	// Oldest is since when every token that is in the window all the time was asked
	// about: the age of the oldest answer. Zero: not all were yet.
	Oldest time.Time
}

// Coverage tells how far the plan has come.
func (p *Planner) Coverage() Coverage {
	waiting := len(p.hinted) + len(p.first) + len(p.turns)
	c := Coverage{
		Due: waiting + int(p.beyond), Covered: len(p.covered) + len(p.before),
		Skipped: len(p.refused), Failed: len(p.failed),
	}
	switch {
	case p.beyond > 0:
		c.Oldest = p.turn.oldest()
	case waiting == 0:
		c.Oldest = p.made
	default:
		c.Oldest = p.former
	}
	return c
}

// Bound is how long it takes at most until every token of a window was asked about, at a
// number of calls a second that are really made: half of them go in turn at least, in
// plans that are made every interval.
func Bound(tokens int64, rate float64, interval time.Duration) time.Duration {
	seconds := float64(tokens) / (rate / 2)
	return time.Duration(math.Ceil(seconds))*time.Second + 2*interval
}
