package planner

import (
	"math/bits"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// memorySize makes the memory 4 MiB: of 100,000 tokens one in twenty is mistaken for
// new now and then, which costs a call.
const memorySize = 1 << 20

// memory remembers about how busy tokens were: one entry for each id's place, the last
// one wins.
type memory struct{ entries []uint32 }

func newMemory() *memory { return &memory{make([]uint32, memorySize)} }

// change is how much a token's traffic has changed, in doublings; a new one counts as
// having changed from nothing, and more than any other.
func (m *memory) change(id tokenid.ID, requests int64) (score int) {
	e := m.entries[id%memorySize]
	level := doublings(requests)
	if e>>8 != fingerprint(id) {
		return 100 + level
	}
	return max(level, int(e&0xff)) - min(level, int(e&0xff))
}

func (m *memory) set(id tokenid.ID, requests int64) {
	m.entries[id%memorySize] = fingerprint(id)<<8 | uint32(doublings(requests)) //nolint:gosec // 64 at most
}

// fingerprint is of other bits than the place, and never 0.
func fingerprint(id tokenid.ID) uint32 { return uint32(id>>40) | 1 }

func doublings(requests int64) int { return bits.Len64(uint64(max(requests, 0))) }
