package tokenid

// Filter is a set of ids in memory of fixed size that may hold more than was added: a Bloom filter
// with two positions an id. Ids are as good as random, so that a multiplication by the salt is hash
// enough; Clear changes the salt, so that the same two ids are not mistaken for each other again.
type Filter struct {
	bits  uint
	words []uint64 // nil before the first Add
	salt  uint64
	used  bool
}

// NewFilter returns an empty filter of 1<<bits bits, with bits from 6 to 31. Its memory is
// allocated at the first Add.
func NewFilter(bits uint) *Filter { return &Filter{bits: bits, salt: firstSalt} }

const firstSalt = 0x9e3779b97f4a7c15

// Add adds an id.
func (f *Filter) Add(id ID) {
	if f.words == nil {
		f.words = make([]uint64, 1<<f.bits/64)
	}
	f.used = true
	a, b := f.positions(id)
	f.words[a/64] |= 1 << (a % 64)
	f.words[b/64] |= 1 << (b % 64)
}

// Has reports whether an id was added, or is taken for one that was.
func (f *Filter) Has(id ID) bool {
	if !f.used {
		return false
	}
	a, b := f.positions(id)
	return f.words[a/64]&(1<<(a%64)) != 0 && f.words[b/64]&(1<<(b%64)) != 0
}

// Clear empties the filter and keeps its memory.
func (f *Filter) Clear() {
	if f.used {
		clear(f.words)
		f.used = false
	}
	f.salt = f.salt*firstSalt | 1 // an odd number, or the multiplication would lose bits
}

func (f *Filter) positions(id ID) (a, b uint64) {
	h := uint64(id) * f.salt
	h ^= h >> 32
	mask := uint64(1)<<f.bits - 1
	return h & mask, h >> (64 - f.bits)
}
