package otlp

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// docs/opentelemetry.md promises some 200 bytes a series.
func TestMemoryOfASeries(t *testing.T) {
	const n = 50_000
	samples := make([]metrics.Sample, 0, n)
	for i := range n {
		samples = append(samples, metrics.Sample{
			Series: metrics.NewSeries(metrics.TokenMethodRequests, born, "production", fmt.Sprintf("%016x", i/4), fmt.Sprint("METHOD", i%4)), Value: 1,
		})
	}
	snapshots := map[string]*metrics.Snapshot{"production": snapshot(samples...)}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	e := newEncoder(nil, nil, 64<<10, prometheus.NewRegistry())
	collect := func() {
		if err := e.push(snapshots, everything, born, born, func(b *buffer, _ int) error { b.release(); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	collect()
	collect()
	if per := float64(int64(heap())-int64(before)) / n; per > 250 {
		t.Errorf("%.0f bytes a series", per)
	} else {
		t.Logf("%.0f bytes a series", per)
	}
	runtime.KeepAlive(e)
}
