package metrics

import (
	"net/http"
	"runtime"
	"testing"
	"time"
)

// Limits that do not depend on how fast the machine is. TestAllocations has those of allocations.
const (
	limitSeriesBytes     = 130  // kept for a series by method, its sample included
	limitPlainBytes      = 105  // allocated by a rendering for a series: its line and little else
	limitCompressedBytes = 20   // likewise, compressed
	limitScrapeBytes     = 24e3 // allocated by a scrape, however much it serves
	limitsSeries         = 50_000
)

// long skips what measures memory where tests are to be quick, or the race detector takes more.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("measures memory")
	}
}

func TestByteLimits(t *testing.T) {
	long(t)
	before := heapNow()
	s := manySeries(limitsSeries, "shop")
	after := heapNow()
	if got := float64(after-before) / limitsSeries; got > limitSeriesBytes {
		t.Errorf("a series holds %.1f bytes, want at most %d", got, limitSeriesBytes)
	}

	e := NewExposition(noHealth(), Options{})
	e.Publish("shop", s)
	for f := range formatCount {
		e.newPublication(e.Snapshots()).compressed[f]() // the pools are warm
		if got := perSeries(func() { e.newPublication(e.Snapshots()).plain[f]() }); got > limitPlainBytes {
			t.Errorf("format %d: a rendering allocates %.1f bytes a series, want at most %d", f, got, limitPlainBytes)
		}
		if got := perSeries(func() { e.newPublication(e.Snapshots()).compressed[f]() }); got > limitCompressedBytes {
			t.Errorf("format %d: a compressed rendering allocates %.1f bytes a series, want at most %d", f, got, limitCompressedBytes)
		}
	}

	w := &sink{header: http.Header{}}
	for _, encoding := range []string{"identity", "gzip"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Encoding", encoding)
		e.ServeHTTP(w, r)
		if got := float64(allocated(50, func() { clear(w.header); e.ServeHTTP(w, r) })); got > limitScrapeBytes {
			t.Errorf("a scrape, %s, allocates %.0f bytes, want at most %.0f", encoding, got, limitScrapeBytes)
		}
	}
}

// The series of a token in one batch need no more memory than each on its own.
func TestBatchBytes(t *testing.T) {
	const tokens = 5000
	created := time.Now()
	hold := func(create func() []*Series) uint64 {
		before := heapNow()
		all := create()
		after := heapNow()
		runtime.KeepAlive(all)
		return after - before
	}
	methods := []string{"GET", "PUT", "POST", "DELETE"}
	alone := hold(func() (all []*Series) {
		for range tokens {
			for _, m := range methods {
				all = append(all, NewSeries(TokenMethodRequests, created, "shop", "0123456789abcdef", m))
			}
		}
		return all
	})
	together := hold(func() (all []*Series) {
		var b Batch
		for range tokens {
			for _, m := range methods {
				b.Add(TokenMethodRequests, created, "shop", "0123456789abcdef", m)
			}
			made := b.Make()
			for i := range made {
				all = append(all, &made[i])
			}
		}
		return all
	})
	if together > alone {
		t.Errorf("%d series hold %d bytes in batches and %d alone", tokens*len(methods), together, alone)
	}
}

// perSeries returns how many bytes f allocates for each series.
func perSeries(f func()) float64 { return float64(allocated(5, f)) / limitsSeries }

// allocated returns how many bytes f allocates, the minimum of some runs: under the race detector
// pools drop one element in four, on purpose.
func allocated(runs int, f func()) uint64 {
	least := ^uint64(0)
	for range runs {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

func heapNow() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
