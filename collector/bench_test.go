package collector

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// madeUp is an ABS that costs nothing: the same tokens in every window, each with two
// methods, two APIs and a device.
type madeUp struct {
	tokens int
	told   int64
}

func (m *madeUp) Tokens(_ context.Context, _ abs.Window, row func(*abs.Row) error) (abs.Summary, error) {
	m.told += 2
	counts := func(keys ...string) []abs.Count {
		var all []abs.Count
		for _, k := range keys {
			all = append(all, abs.Count{Key: []byte(k), N: m.told})
		}
		return all
	}
	r := abs.Row{
		Requests: 2 * m.told, Methods: counts("GET", "PUT"), APIs: counts("shop", "cards"),
		Devices: []abs.Count{{Key: []byte("LINUX"), N: 2 * m.told}},
	}
	var token []byte
	for i := range m.tokens {
		token = strconv.AppendInt(append(token[:0], "a-token-of-a-user-"...), int64(i), 10)
		r.Token = token
		if err := row(&r); err != nil {
			return abs.Summary{}, err
		}
	}
	return abs.Summary{Rows: int64(m.tokens)}, nil
}

func (m *madeUp) Forensics(context.Context, abs.Window, []byte) (abs.Forensics, error) {
	return abs.Forensics{}, nil
}

func bench(b *testing.B, tokens, listed int, dir string) *rig {
	b.Helper()
	o := defaults()
	o.StateDir, o.MaxTokens, o.Forensics = dir, listed, false
	r := &rig{clock: &handClock{now: storyBegin}, registry: prometheus.NewRegistry()}
	r.exposed = metrics.NewExposition(r.registry, metrics.Options{})
	var err error
	r.target, err = newTarget(&o, Target{Name: "t", ABS: &madeUp{tokens: tokens}}, testKey,
		metrics.NewHealth(r.registry), r, r.clock, slog.New(slog.DiscardHandler), func() {})
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// BenchmarkSave is the cost of saving the state: with five open slots, as always.
func BenchmarkSave(b *testing.B) {
	for _, n := range []struct{ tokens, listed int }{{10_000, 1000}, {100_000, 1000}, {10_000, 10_000}, {100_000, 100_000}} {
		b.Run(fmt.Sprintf("tokens=%d/listed=%d", n.tokens, n.listed), func(b *testing.B) {
			r := bench(b, n.tokens, n.listed, b.TempDir())
			r.cycle(storyBegin.Add(2 * time.Minute))
			r.cycle(storyBegin.Add(4 * time.Minute))
			for b.Loop() {
				if err := r.save(r.clock.Now()); err != nil {
					b.Fatal(err)
				}
			}
			info, err := os.Stat(r.state.path)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(info.Size()), "bytes/save")
		})
	}
}

// BenchmarkLedgerMemory is what the ledger holds for each listed token, with five open
// slots, series and all.
func BenchmarkLedgerMemory(b *testing.B) {
	const listed = 100_000
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		before := heap()
		r := bench(b, listed, listed, "")
		r.cycle(storyBegin.Add(2 * time.Minute))
		r.cycle(storyBegin.Add(4 * time.Minute))
		b.ReportMetric(float64(heap()-before)/listed, "bytes/token")
		runtime.KeepAlive(r)
	}
}

// BenchmarkCycle is one cycle without the network and the reading of JSON: five slots
// and the window.
func BenchmarkCycle(b *testing.B) {
	for _, n := range []struct{ tokens, listed int }{{10_000, 1000}, {100_000, 1000}, {100_000, 100_000}} {
		b.Run(fmt.Sprintf("tokens=%d/listed=%d", n.tokens, n.listed), func(b *testing.B) {
			r := bench(b, n.tokens, n.listed, "")
			at := storyBegin
			for b.Loop() {
				at = at.Add(10 * time.Minute)
				r.cycle(at)
			}
		})
	}
}
