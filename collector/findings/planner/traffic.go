package planner

import (
	"math/bits"
	"slices"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// trafficMemory remembers in 4 MiB roughly how busy tokens were in the last window report. A bucket
// holds eight of the tokens whose ids have the same low bits, the last one first: of a million
// tokens, one in a hundred is mistaken for new, and of 100,000 none. An entry is the tag of the id
// and six bits of the level.
type trafficMemory struct {
	levels [buckets][8]uint16
	used   bucketSet
}

const buckets = 1 << 18

// bucketSet is the buckets that have entries. Most reports are of few tokens: what is done with all
// of their buckets is done with these.
type bucketSet [buckets / 64]uint64

func (s *bucketSet) add(bucket int) { s[bucket/64] |= 1 << (bucket % 64) }

func (s *bucketSet) each(visit func(bucket int)) {
	for i, word := range s {
		for ; word != 0; word &= word - 1 {
			visit(i*64 + bits.TrailingZeros64(word))
		}
	}
}

func bucketOf(id tokenid.ID) int { return int(id % buckets) }

// tag returns ten bits of an id, of which the last is set so that no entry is 0.
func tag(id tokenid.ID) uint16 { return uint16(id>>54) | 1 }

// level returns how busy a token was in the last report: the length of its requests in bits, 0 for
// a new token.
func (m *trafficMemory) level(id tokenid.ID) int {
	for _, entry := range m.levels[bucketOf(id)] {
		if entry>>6 == tag(id) {
			return int(entry & 0x3f)
		}
	}
	return 0
}

// reportTraffic adds up in 8 MiB how busy tokens are in a report that is being read: a token may
// have several rows, and in a window that is read in spans has one in each. An entry is the tag of
// the id, and 22 bits of the sum.
type reportTraffic struct {
	sums   [buckets][8]uint32
	used   bucketSet
	tokens int // about how many there are
}

// reset begins another report.
func (r *reportTraffic) reset() {
	r.used.each(func(bucket int) { r.sums[bucket] = [8]uint32{} })
	r.used, r.tokens = bucketSet{}, 0
}

// add adds a row, and returns the sum of its token's requests so far.
func (r *reportTraffic) add(id tokenid.ID, requests int64) (sum int64) {
	bucket := &r.sums[bucketOf(id)]
	r.used.add(bucketOf(id))
	i := slices.IndexFunc(bucket[:], func(entry uint32) bool { return entry>>22 == uint32(tag(id)) })
	if i >= 0 {
		sum = decodeSum(bucket[i])
	} else {
		i = len(bucket) - 1
		r.tokens++
	}
	if sum += max(requests, 0); sum < 0 {
		sum = 1<<63 - 1
	}
	copy(bucket[1:i+1], bucket[:i])
	bucket[0] = uint32(tag(id))<<22 | encodeSum(sum)
	return sum
}

// has reports whether a token has a row in the report.
func (r *reportTraffic) has(id tokenid.ID) bool {
	return slices.ContainsFunc(r.sums[bucketOf(id)][:], func(entry uint32) bool { return entry>>22 == uint32(tag(id)) })
}

// level returns how busy a token is, as trafficMemory does.
func (r *reportTraffic) level(id tokenid.ID) int {
	for _, entry := range r.sums[bucketOf(id)] {
		if entry>>22 == uint32(tag(id)) {
			return int(entry >> 16 & 0x3f)
		}
	}
	return 0
}

// remember replaces what the memory has by this report.
func (r *reportTraffic) remember(m *trafficMemory) {
	m.used.each(func(bucket int) { m.levels[bucket] = [8]uint16{} })
	r.used.each(func(bucket int) {
		for j, entry := range r.sums[bucket] {
			m.levels[bucket][j] = uint16(entry >> 16)
		}
	})
	m.used = r.used
}

// encodeSum returns 22 bits: the length of the sum in bits, and the 16 bits after its first one.
func encodeSum(sum int64) uint32 {
	level := bits.Len64(uint64(sum))
	fraction := uint64(sum) << (64 - level) << 1    // without the first bit
	return uint32(level)<<16 | uint32(fraction>>48) //nolint:gosec // 63 at most
}

func decodeSum(entry uint32) int64 {
	level := entry >> 16 & 0x3f
	if level == 0 {
		return 0
	}
	return int64((1<<63 | uint64(entry&0xffff)<<47) >> (64 - level)) //nolint:gosec // 63 bits at most
}
