package planner

import (
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// cursor is the position of round robin in the space of token ids. It remembers its last round by
// sectors, which are equal ranges of ids: ids are as good as random, so that each sector holds
// about equally many tokens.
type cursor struct {
	at      tokenid.ID
	entered time.Time                  // when it entered the sector that it is in
	before  [1 << sectorBits]time.Time // when it entered each sector before; zero: never
}

const sectorBits = 12

func sector(id tokenid.ID) int { return int(id >> (64 - sectorBits)) }

// pass moves the cursor past an id. An id behind it, from a call that took longer than a later one,
// does not move it.
func (c *cursor) pass(id tokenid.ID, at time.Time) {
	next := id + 1
	if next-c.at > 1<<63 {
		return
	}
	for s := sector(c.at); s != sector(next); s = (s + 1) % len(c.before) {
		c.before[s], c.entered = c.entered, at
	}
	c.at = next
}

// oldest returns since when every token was passed, or zero in the first round.
func (c *cursor) oldest() time.Time { return c.before[sector(c.at)] }
