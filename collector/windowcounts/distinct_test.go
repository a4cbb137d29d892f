package windowcounts

import (
	"fmt"
	"hash/maphash"
	"math"
	"runtime"
	"testing"
)

// The count is exact for few values, within one in a thousand up to some thousands, and within six
// standard errors beyond; how often a value comes does not matter. Each run has another seed of the
// hashes, so the bounds are wide enough for none to be passed by chance.
func TestDistinct(t *testing.T) {
	long(t)
	seed := maphash.MakeSeed()
	for _, n := range []int{0, 1, 2, 15, 16, 17, 100, 2000, 5000, 30_000, 40_000, 100_000, 300_000} {
		var d distinct
		for round := range 2 {
			for i := range n {
				d.add(seed, fmt.Appendf(nil, "10.%d.%d.%d", i>>16, i>>8&255, i&255))
			}
			got := d.count()
			allowed := 0.0
			switch {
			case n > 2000:
				allowed = 6 * 0.0081 * float64(n)
			case n > 100:
				allowed = 4 // two values in 2^25 cells are taken for one
			case n > 17:
				allowed = 1
			}
			if diff := math.Abs(float64(got) - float64(n)); diff > allowed {
				t.Errorf("round %d: %d of %d values", round, got, n)
			}
		}
	}
}

// A token has a handful of addresses as a rule, and a hostile one has millions.
func TestDistinctIsSmall(t *testing.T) {
	long(t)
	seed := maphash.MakeSeed()
	for _, c := range []struct{ sketches, values, limit int }{{10_000, 3, 400}, {20, 200_000, 40 << 10}} {
		all := make([]distinct, c.sketches)
		before := held()
		for i := range all {
			for k := range c.values {
				all[i].add(seed, fmt.Append(nil, i, k))
			}
		}
		if got := int(held()-before) / c.sketches; got > c.limit {
			t.Errorf("%d values are held in %d bytes, want %d at most", c.values, got, c.limit)
		}
		runtime.KeepAlive(all)
	}
}

func held() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// long marks a test without goroutines, which runs without the race detector.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("counts millions of values")
	}
}
