package planner

import (
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// queue is why a call is made. The queues are in the order in which Next serves them, but for the
// bound maxLead.
type queue uint8

const (
	priority   queue = iota // an attack report names the token
	recheck                 // the token has findings, and their end must be noticed
	changed                 // the token is new in the window, or its traffic changed
	roundRobin              // the next token in the order of ids
	retry                   // the call failed since the plan was made
	queues
)

const (
	// maxLead is how many calls of the first three queues may go before one of round robin. Past
	// it they alternate, so that round robin gets half of the calls at least, and each token of
	// the window is requested within a bound.
	maxLead     = 50
	maxAttempts = 3     // calls for one token in one plan
	maxPriority = 10000 // tokens in the priority queue
	maxSkipped  = 65536 // skipped tokens that are remembered
	// maxToken bounds, in bytes, the tokens that forensics is requested for. Longer ones are
	// skipped: servers refuse such request lines, and a plan holds thousands of tokens.
	maxToken = 16 << 10
)

// Call is a forensics call to make.
type Call struct {
	ID       tokenid.ID
	Token    []byte
	queue    queue // where it was first
	attempts int   // how often it failed
}

// Planner holds the order of forensics calls from one window report to the next. The zero value is
// not usable; see New. It is not safe for concurrent use.
type Planner struct {
	recheckAfter time.Duration
	traffic      *trafficMemory // of the last window report
	report       *reportTraffic // of the one that is being read
	cursor       cursor
	queues       [queues][]Call
	lead         int // how many calls the first three queues are ahead of round robin
	prioritised  map[tokenid.ID]bool
	skipped      map[tokenid.ID]bool
	coverage
}

// coverage is in which state each token of the window is.
type coverage struct {
	covered       map[tokenid.ID]bool // answered since the plan was made
	coveredBefore map[tokenid.ID]bool // answered in the plan before, but not in this one
	failed        map[tokenid.ID]bool
	flagged       map[tokenid.ID]bool // tokens of the window with findings, which the traffic lacks
	tokens        int                 // of the window
	unplanned     int                 // those that the plan has no call for
	made          time.Time           // when the plan was made
	previous      time.Time           // when the plan before was made, if it was completed; else zero
}

// New returns a planner that rechecks a token with findings once its last answer is older than
// recheckAfter.
func New(recheckAfter time.Duration) *Planner {
	return &Planner{
		recheckAfter: recheckAfter,
		prioritised:  map[tokenid.ID]bool{}, skipped: map[tokenid.ID]bool{},
		coverage: coverage{covered: map[tokenid.ID]bool{}, failed: map[tokenid.ID]bool{}},
	}
}

// Cursor returns the id that round robin continues from. Saved and passed to Resume, it keeps a
// restart from requesting the same tokens again.
func (p *Planner) Cursor() tokenid.ID { return p.cursor.at }

// Resume continues round robin from a cursor.
func (p *Planner) Resume(cursor tokenid.ID) { p.cursor.at = cursor }

// AddPriority puts a token that an attack report names into the priority queue. It returns false if
// the queue is full: round robin then requests the token later. A skipped token is not added.
func (p *Planner) AddPriority(id tokenid.ID, token []byte) bool {
	if p.prioritised[id] || p.skipped[id] || len(token) > maxToken {
		return true
	}
	if len(p.prioritised) >= maxPriority {
		return false
	}
	p.prioritised[id] = true
	p.queues[priority] = append(p.queues[priority], Call{ID: id, Token: slices.Clone(token), queue: priority})
	return true
}

// Next returns the next call to make, and false if there is none. Each call must end in Answered,
// Failed, Skipped or Return.
func (p *Planner) Next() (Call, bool) {
	q := p.nextQueue()
	if len(p.queues[q]) == 0 {
		return Call{}, false
	}
	if q < roundRobin {
		p.lead++
	} else {
		p.lead = max(0, p.lead-1)
	}
	c := p.queues[q][0]
	p.queues[q][0].Token = nil // it is a credential, and the array outlives the call
	p.queues[q] = p.queues[q][1:]
	return c, true
}

func (p *Planner) nextQueue() queue {
	regular := roundRobin
	if len(p.queues[regular]) == 0 {
		regular = retry
	}
	for q := priority; q < roundRobin; q++ {
		if len(p.queues[q]) > 0 && (p.lead < maxLead || len(p.queues[regular]) == 0) {
			return q
		}
	}
	return regular
}

// Return puts a call that was not made back to the front of its queue.
func (p *Planner) Return(c Call) {
	q := c.queue
	if c.attempts > 0 {
		q = retry
	}
	p.queues[q] = slices.Insert(p.queues[q], 0, c)
}

// Answered records that ABS answered a call at a time.
func (p *Planner) Answered(c Call, at time.Time) {
	p.end(c, at)
	p.move(c, p.covered)
}

// Failed records that a call failed at a time, for a reason other than its token. It is retried
// after all other calls of the plan.
func (p *Planner) Failed(c Call, at time.Time) {
	p.end(c, at)
	p.move(c, p.failed)
	if c.attempts++; c.attempts == maxAttempts {
		return
	}
	if c.queue == priority {
		p.prioritised[c.ID] = true
	}
	p.queues[retry] = append(p.queues[retry], c)
}

// Skipped records that ABS does not accept calls for a token, such as one that is too long for a
// URL. The token is not requested again while the window holds it.
func (p *Planner) Skipped(c Call, at time.Time) {
	p.end(c, at)
	if len(p.skipped) < maxSkipped {
		p.move(c, p.skipped)
	}
}

// move puts a token into one of the states of Coverage. What is requested by priority may not be in
// the window, and is in none then.
func (p *Planner) move(c Call, state map[tokenid.ID]bool) {
	for _, other := range []map[tokenid.ID]bool{p.covered, p.coveredBefore, p.failed, p.skipped} {
		delete(other, c.ID)
	}
	if c.queue != priority || p.flagged[c.ID] || p.report != nil && p.report.has(c.ID) {
		state[c.ID] = true
	}
}

func (p *Planner) end(c Call, at time.Time) {
	switch {
	case c.queue == priority:
		delete(p.prioritised, c.ID)
	case c.queue == roundRobin && c.attempts == 0: // the cursor is past the token of a retry
		p.cursor.pass(c.ID, at)
	}
}
