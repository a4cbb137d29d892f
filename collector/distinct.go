package collector

import (
	"hash/maphash"
	"math"
	"math/bits"
	"slices"
)

const (
	// exactDistinct is up to how many distinct values are counted exactly. Beyond, in the same
	// memory, their number is estimated (HyperLogLog): the standard error is 0.8 %.
	exactDistinct = 2048
	registerBits  = 14
)

// distinct counts distinct values over any number of rows in 16 KiB at most. The zero value has
// seen none.
type distinct struct {
	exact     []uint64 // hashes: the first sorted are in order and differ, those after them may not
	sorted    int
	registers []uint8 // nil while the count is exact
}

func (d *distinct) add(seed maphash.Seed, value []byte) {
	hash := maphash.Bytes(seed, value)
	if d.registers != nil {
		d.register(hash)
		return
	}
	if _, known := slices.BinarySearch(d.exact[:d.sorted], hash); known {
		return
	}
	d.exact = append(d.exact, hash)
	if len(d.exact) < max(16, 2*d.sorted) && len(d.exact) <= exactDistinct {
		return
	}
	d.sort()
	if len(d.exact) > exactDistinct {
		d.registers = make([]uint8, 1<<registerBits)
		for _, h := range d.exact {
			d.register(h)
		}
		d.exact, d.sorted = nil, 0
	}
}

func (d *distinct) sort() {
	slices.Sort(d.exact)
	d.exact = slices.Compact(d.exact)
	d.sorted = len(d.exact)
}

// register records in one of the registers how rare a hash is.
func (d *distinct) register(hash uint64) {
	index := hash >> (64 - registerBits)
	rank := uint8(bits.LeadingZeros64(hash<<registerBits|1<<(registerBits-1)) + 1) //nolint:gosec // 51 at most
	d.registers[index] = max(d.registers[index], rank)
}

// count returns how many distinct values there are, or about how many.
func (d *distinct) count() int64 {
	if d.registers == nil {
		d.sort()
		return int64(len(d.exact))
	}
	const m = 1 << registerBits
	sum, zeros := 0.0, 0
	for _, r := range d.registers {
		sum += math.Ldexp(1, -int(r))
		if r == 0 {
			zeros++
		}
	}
	estimate := 0.7213 / (1 + 1.079/m) * m * m / sum
	if estimate < 2.5*m && zeros > 0 { // few values: the empty registers say it better
		estimate = m * math.Log(float64(m)/float64(zeros))
	}
	return int64(math.Round(estimate))
}
