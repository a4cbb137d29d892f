package planner

import (
	"math/bits"
	"slices"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// trafficMemory remembers in 4 MiB roughly how busy tokens were in the last window report. A bucket
// holds eight of the tokens whose ids have the same low bits, the last one first: of a million
// tokens, one in twenty is mistaken for new, and of 100,000 none. An entry is ten bits of the id,
// of which the last is set so that no entry is 0, and six bits of the level.
type trafficMemory [1 << 18][8]uint16

// observe returns how much a token's requests changed since the last report, in doublings up or
// down, and remembers them. A new token has changed from 0.
func (m *trafficMemory) observe(id tokenid.ID, requests int64) (change int) {
	level := bits.Len64(uint64(max(requests, 0)))
	tag := uint16(id>>54) | 1
	bucket := &m[id%tokenid.ID(len(m))]
	before := 0
	i := slices.IndexFunc(bucket[:], func(entry uint16) bool { return entry>>6 == tag })
	if i >= 0 {
		before = int(bucket[i] & 0x3f)
	} else {
		i = len(bucket) - 1
	}
	copy(bucket[1:i+1], bucket[:i])
	bucket[0] = tag<<6 | uint16(level) //nolint:gosec // 63 at most
	return max(level, before) - min(level, before)
}
