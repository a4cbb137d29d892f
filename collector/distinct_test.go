package collector

import (
	"fmt"
	"hash/maphash"
	"math"
	"testing"
)

// The count is exact up to exactDistinct values, and within four standard errors beyond; how often
// a value comes does not matter.
func TestDistinct(t *testing.T) {
	seed := maphash.MakeSeed()
	for _, n := range []int{0, 1, 15, 16, 17, 100, exactDistinct, exactDistinct + 1, 5000, 30_000, 40_000, 100_000, 300_000} {
		var d distinct
		for round := range 2 {
			for i := range n {
				d.add(seed, fmt.Appendf(nil, "10.%d.%d.%d", i>>16, i>>8&255, i&255))
			}
			got := d.count()
			allowed := 0.0
			if n > exactDistinct {
				allowed = 4 * 1.04 / math.Sqrt(1<<registerBits) * float64(n)
			}
			if diff := math.Abs(float64(got) - float64(n)); diff > allowed {
				t.Errorf("round %d: %d of %d values", round, got, n)
			}
			if cap(d.exact) > 2*exactDistinct || len(d.registers) > 1<<registerBits {
				t.Errorf("%d values are in memory for %d and %d", n, cap(d.exact), len(d.registers))
			}
		}
	}
}
