package planner

import (
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// turn goes round the space of token ids. Ids are as good as random, so that the way
// round is spread evenly over the tokens.
type turn struct {
	at      tokenid.ID
	way     float64 // how far it went since the start, in rounds
	records []record
}

// record is when the turn came to a point of its way.
type record struct {
	way  float64
	when time.Time
}

const round = 1 << 32 * (1 << 32) // of ids, as a float

// pass moves the turn on behind a token. Calls end in about the order in which they
// began: an id that lies behind already moves nothing.
func (t *turn) pass(id tokenid.ID, when time.Time) {
	step := id + 1 - t.at
	if step > 1<<63 {
		return
	}
	t.way += float64(step) / round
	t.at = id + 1
	if n := len(t.records); n > 0 && t.way-t.records[n-1].way < 1.0/turnRecords {
		return
	}
	t.records = append(t.records, record{t.way, when})
	for len(t.records) > 1 && t.records[1].way <= t.way-1 {
		t.records = t.records[1:]
	}
}

// oldest is when the turn was last where it is now; zero before its first round is
// over.
func (t *turn) oldest() time.Time {
	if len(t.records) == 0 || t.records[0].way > t.way-1 {
		return time.Time{}
	}
	return t.records[0].when
}
