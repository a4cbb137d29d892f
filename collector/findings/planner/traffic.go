package planner

import (
	"math/bits"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// trafficMemory remembers in 4 MiB roughly how busy each token was in the last window report. Tokens
// whose ids have the same low bits share an entry, which holds the last of them: with 100,000 tokens,
// about one in twenty is at times mistaken for new, at the cost of a call.
type trafficMemory [1 << 20]uint32

const newToken = 100 // more than the change of any other

// observe returns how much a token's requests changed since the last report, in doublings up or
// down, and remembers them. A new token returns newToken plus the doublings since 0.
func (m *trafficMemory) observe(id tokenid.ID, requests int64) (change int) {
	level := bits.Len64(uint64(max(requests, 0)))
	fingerprint := uint32(id>>40) | 1 // of other bits than the index, and never 0
	entry := &m[id%tokenid.ID(len(m))]
	before := *entry
	*entry = fingerprint<<8 | uint32(level)
	if before>>8 != fingerprint {
		return newToken + level
	}
	return max(level, int(before&0xff)) - min(level, int(before&0xff))
}
