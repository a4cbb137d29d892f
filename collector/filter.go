package collector

import "github.com/abs-exporter/abs-exporter/collector/tokenid"

// filterBits makes a filter 2 MiB: of 400,000 ids in it, it takes one in five hundred
// others for one of them.
const filterBits = 1 << 24

// filter is a set of token ids that may be taken for larger than it is, in memory of
// fixed size. Ids are as good as random, and so are the two places of each.
type filter struct{ words []uint64 }

func newFilter() *filter { return &filter{make([]uint64, filterBits/64)} }

func (f *filter) add(id tokenid.ID) {
	for _, bit := range places(id) {
		f.words[bit/64] |= 1 << (bit % 64)
	}
}

func (f *filter) has(id tokenid.ID) bool {
	for _, bit := range places(id) {
		if f.words[bit/64]&(1<<(bit%64)) == 0 {
			return false
		}
	}
	return true
}

func places(id tokenid.ID) [2]uint64 {
	return [2]uint64{uint64(id) % filterBits, uint64(id) >> 32 % filterBits}
}
