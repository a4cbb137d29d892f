package simulator

import "math/bits"

// Constants of the hash: odd, with about as many ones as zeros.
const (
	k0 = 0xa0761d6478bd642f
	k1 = 0xe7037ed1a0b428db
	k2 = 0x8ebc6af09c88c6e3
)

// mix hashes two numbers into one. Everything that the simulator decides comes from it, never from
// a generator with a state: so any window can be reported at any time, in any order, by several
// calls at once and after a restart, and is always the same.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^k0, b^k1)
	hi2, lo2 := bits.Mul64(hi^lo^k2, a^k1^bits.RotateLeft64(b, 32))
	return hi2 ^ lo2
}

// mixString hashes a text, such as a token.
func mixString(seed uint64, s string) uint64 {
	h := mix(seed, uint64(len(s)))
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * 0x100000001b3
	}
	return mix(h, seed)
}

// unit turns a hash into a number in [0, 1).
func unit(h uint64) float64 { return float64(h>>11) / (1 << 53) }

// below turns a hash into a number in [0, n).
func below(h, n uint64) uint64 {
	hi, _ := bits.Mul64(h, n)
	return hi
}

// floorDiv is a/b rounded down, also before 1970.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}
