package metrics

import (
	"net/http"
	"runtime"
	"testing"
	"time"
)

// Limits that do not depend on how fast the machine is; those of allocations are held by
// TestAllocations.
const (
	limitSeriesBytes = 130  // that stay for a series by method, its sample included
	limitPlainBytes  = 105  // that a rendering allocates for a series: its line and little else
	limitPackedBytes = 20   // likewise, compressed
	limitScrapeBytes = 24e3 // that a scrape allocates, whatever it serves
	limitsSeries     = 50_000
)

func TestByteLimits(t *testing.T) {
	before := heapNow()
	s := manySeries(limitsSeries, "shop")
	after := heapNow()
	if got := float64(after-before) / limitsSeries; got > limitSeriesBytes {
		t.Errorf("a series holds %.1f bytes, want at most %d", got, limitSeriesBytes)
	}

	e := NewExposition(noHealth(), Options{})
	e.Publish("shop", s)
	for f := range formatCount {
		e.packedBody(newPublication(e.Snapshots()), f) // the pools are warm
		if got := perSeries(func() { e.plainBody(newPublication(e.Snapshots()), f) }); got > limitPlainBytes {
			t.Errorf("format %d: a rendering allocates %.1f bytes a series, want at most %d", f, got, limitPlainBytes)
		}
		if got := perSeries(func() { e.packedBody(newPublication(e.Snapshots()), f) }); got > limitPackedBytes {
			t.Errorf("format %d: a compressed rendering allocates %.1f bytes a series, want at most %d", f, got, limitPackedBytes)
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

// The series of a token in one batch hold no more than each on its own.
func TestBatchBytes(t *testing.T) {
	const tokens = 5000
	created := time.Now()
	hold := func(bear func() []*Series) uint64 {
		before := heapNow()
		all := bear()
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

// perSeries is how many bytes f allocates for each series.
func perSeries(f func()) float64 { return float64(allocated(5, f)) / limitsSeries }

// allocated is how many bytes f allocates, at the least of some runs: under the race detector pools lose one thing in four,
// on purpose.
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
