package metrics

import (
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// sink is a ResponseWriter that only counts.
type sink struct {
	header http.Header
	n      int64
}

func (s *sink) Header() http.Header { return s.header }
func (s *sink) WriteHeader(int)     {}
func (s *sink) Write(p []byte) (int, error) {
	s.n += int64(len(p))
	return len(p), nil
}

// collector is what an exporter in Go usually does: const metrics made at each scrape.
type collector struct {
	desc    *prometheus.Desc
	samples []struct {
		token, method string
		value         float64
	}
}

func newCollector(s *Snapshot) *collector {
	c := &collector{desc: prometheus.NewDesc(TokenMethodRequests.Name, TokenMethodRequests.Help, TokenMethodRequests.Labels, nil)}
	for _, sample := range s.Blocks[0].Samples {
		v := values(sample.Series)
		c.samples = append(c.samples, struct {
			token, method string
			value         float64
		}{v[1], v[2], float64(sample.Value)})
	}
	return c
}

func (c *collector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	for i := range c.samples {
		s := &c.samples[i]
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, s.value, "shop", s.token, s.method)
	}
}

func benchHandler(b *testing.B, h http.Handler, accept, encoding string) {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "/metrics", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Accept", accept)
	r.Header.Set("Accept-Encoding", encoding)
	w := &sink{header: http.Header{}}
	h.ServeHTTP(w, r) // rendering has a benchmark of its own
	b.ReportAllocs()
	b.SetBytes(w.n)
	b.ResetTimer()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

// BenchmarkScrape100k measures one scrape of 100,000 series, without a network: of an Exposition,
// with the exporter's full health, and of a client_golang collector with promhttp on the same
// series.
func BenchmarkScrape100k(b *testing.B) {
	s := manySeries(100_000, "shop")
	reg := NewRegistry(ReadBuild("", ""))
	NewHealth(reg).Init("shop")
	ours := NewExposition(reg, Options{Registerer: reg})
	ours.Publish("shop", s)
	theirs := prometheus.NewRegistry()
	theirs.MustRegister(newCollector(s))
	usual := promhttp.HandlerFor(theirs, promhttp.HandlerOpts{EnableOpenMetrics: true})
	for _, format := range []struct{ name, accept string }{{"text", acceptText}, {"openmetrics", acceptOpenMetrics}, {"protobuf", acceptProtobuf}} {
		for _, encoding := range []string{"identity", "gzip"} {
			b.Run("exposition/"+format.name+"/"+encoding, func(b *testing.B) { benchHandler(b, ours, format.accept, encoding) })
			b.Run("client_golang/"+format.name+"/"+encoding, func(b *testing.B) { benchHandler(b, usual, format.accept, encoding) })
		}
	}
}

// BenchmarkRender measures what a publication costs once for each format, plain and compressed.
func BenchmarkRender(b *testing.B) {
	for _, series := range []int{8000, 100_000} {
		e := NewExposition(noHealth(), Options{})
		e.Publish("shop", manySeries(series, "shop"))
		for f, name := range []string{"text", "openmetrics", "protobuf"} {
			b.Run(fmt.Sprint(series, "/", name, "/identity"), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					b.SetBytes(e.newPublication(e.Snapshots()).plain[f]().plain)
				}
			})
			b.Run(fmt.Sprint(series, "/", name, "/gzip"), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					b.SetBytes(e.newPublication(e.Snapshots()).compressed[f]().plain)
				}
			})
		}
	}
}

// BenchmarkNewSeries measures the creation of a series.
func BenchmarkNewSeries(b *testing.B) {
	created := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		NewSeries(TokenMethodRequests, created, "shop", "0123456789abcdef", "GET")
	}
}

// Limits that do not depend on how fast the machine is. A scrape allocates the same however much it
// serves, a rendering keeps little more than its bytes, and a series is two allocations, once.
func TestAllocations(t *testing.T) {
	long(t)
	e := NewExposition(noHealth(), Options{})
	w := &sink{header: http.Header{}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	const limit = 60
	for _, encoding := range []string{"identity", "gzip"} {
		r.Header.Set("Accept-Encoding", encoding)
		for _, n := range []int{10, 100_000} {
			e.Publish("shop", manySeries(n, "shop"))
			e.ServeHTTP(w, r)
			got := math.Inf(1)
			for range 20 { // the minimum: see allocated
				got = min(got, testing.AllocsPerRun(1, func() { clear(w.header); e.ServeHTTP(w, r) }))
			}
			if got > limit {
				t.Errorf("a scrape of %d series, %s, allocates %v times, want at most %d", n, encoding, got, limit)
			}
		}
	}
	s := e.Snapshots()
	for f := range formatCount {
		length := e.newPublication(s).plain[f]().plain // and the pool is warm
		render := func() { e.newPublication(s).plain[f]() }
		if got := allocated(5, render); float64(got) > 1.1*float64(length)+2*chunkLargest {
			t.Errorf("format %d: rendering %d bytes allocates %d", f, length, got)
		}
		got := math.Inf(1)
		for range 3 {
			got = min(got, testing.AllocsPerRun(1, render))
		}
		if got > 400 {
			t.Errorf("format %d: rendering 100,000 series allocates %v times", f, got)
		}
	}
	created := time.Now()
	if got := testing.AllocsPerRun(100, func() {
		NewSeries(TokenMethodRequests, created, "shop", "0123456789abcdef", "GET")
	}); got > 2 {
		t.Errorf("a series allocates %v times, want at most 2", got)
	}
	series := mustSeries(TokenMethodRequests, "shop", "0123456789abcdef", "GET")
	if got := testing.AllocsPerRun(100, func() {
		for range series.Labels() {
			continue
		}
	}); got > 0 {
		t.Errorf("reading the labels allocates %v times", got)
	}
}
