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
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// syntheticABS is an ABS that costs nothing: the same tokens in every window, each with two
// methods, two APIs and a device.
type syntheticABS struct {
	tokens   int
	requests int64
}

func (m *syntheticABS) Tokens(_ context.Context, _ abs.Window, row func(*abs.Row) error) (abs.Summary, error) {
	m.requests += 2
	counts := func(keys ...string) []abs.Count {
		var all []abs.Count
		for _, k := range keys {
			all = append(all, abs.Count{Key: []byte(k), N: m.requests})
		}
		return all
	}
	r := abs.Row{
		Requests: 2 * m.requests, Methods: counts("GET", "PUT"), APIs: counts("shop", "cards"),
		Devices: []abs.Count{{Key: []byte("LINUX"), N: 2 * m.requests}},
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

func (m *syntheticABS) Forensics(context.Context, abs.Window, []byte) (abs.Forensics, error) {
	return abs.Forensics{}, nil
}

func bench(b *testing.B, tokens, tracked int, dir string) *rig {
	b.Helper()
	o := defaults()
	o.StateDir, o.MaxTokens, o.Forensics = dir, tracked, false
	r := &rig{clock: &handClock{now: storyBegin}, registry: prometheus.NewRegistry()}
	r.exposed = metrics.NewExposition(r.registry, metrics.Options{})
	l, err := newLoop(Target{Name: "t", ABS: &syntheticABS{tokens: tokens}, Options: o}, Environment{
		Key: testKey, Health: metrics.NewHealth(r.registry), Publisher: r, Clock: r.clock, Log: slog.New(slog.DiscardHandler),
	}, &[]orphan{})
	if err != nil {
		b.Fatal(err)
	}
	r.target = l.target
	r.open()
	return r
}

// BenchmarkSave is the cost of saving the state: with five open slots, as always.
func BenchmarkSave(b *testing.B) {
	for _, n := range []struct{ tokens, tracked int }{{10_000, 1000}, {100_000, 1000}, {10_000, 10_000}, {100_000, 100_000}} {
		b.Run(fmt.Sprintf("tokens=%d/tracked=%d", n.tokens, n.tracked), func(b *testing.B) {
			r := bench(b, n.tokens, n.tracked, b.TempDir())
			r.cycle(storyBegin.Add(2 * time.Minute))
			r.cycle(storyBegin.Add(4 * time.Minute))
			for b.Loop() {
				if err := r.saveAgain(); err != nil {
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

// BenchmarkLedgerMemory is what the ledger holds for each tracked token, with five open
// slots, series and all.
func BenchmarkLedgerMemory(b *testing.B) {
	const tracked = 100_000
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		before := heap()
		r := bench(b, tracked, tracked, "")
		r.cycle(storyBegin.Add(2 * time.Minute))
		r.cycle(storyBegin.Add(4 * time.Minute))
		b.ReportMetric(float64(heap()-before)/tracked, "bytes/token")
		runtime.KeepAlive(r)
	}
}

// BenchmarkDevices is the devices of a report of 100,000 rows: ABS's own names, or so many user
// agents of browsers, which are parsed where the memo does not hold them.
func BenchmarkDevices(b *testing.B) {
	const rows = 100_000
	for _, agents := range []int{0, 1000, 20_000, rows} {
		b.Run(fmt.Sprintf("agents=%d", agents), func(b *testing.B) {
			devices := make([][]byte, max(agents, 1))
			for i := range devices {
				devices[i] = fmt.Appendf(nil, "Mozilla/5.0 (Linux; Android 13; SM-%d; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/120.0.6099.144 Mobile Safari/537.36", i)
			}
			if agents == 0 {
				devices[0] = []byte("LINUX")
			}
			table := counts.NewTables(100, defaults().Choices)[counts.Device]
			var values counts.NewValues
			report := func() {
				values.Reset(table)
				for i := range rows {
					values.Index(table, devices[i%len(devices)], 1)
				}
			}
			report()
			for b.Loop() {
				report()
			}
		})
	}
}

// BenchmarkCycle is one cycle without the network and the reading of JSON: five slots
// and the window.
func BenchmarkCycle(b *testing.B) {
	for _, n := range []struct{ tokens, tracked int }{{10_000, 1000}, {100_000, 1000}, {100_000, 100_000}} {
		b.Run(fmt.Sprintf("tokens=%d/tracked=%d", n.tokens, n.tracked), func(b *testing.B) {
			r := bench(b, n.tokens, n.tracked, "")
			at := storyBegin
			for b.Loop() {
				at = at.Add(10 * time.Minute)
				r.cycle(at)
			}
		})
	}
}

// saveAgain saves the state although nothing changed.
func (r *rig) saveAgain() error {
	r.state.last = nil
	return r.state.save(r.clock.Now(), r.ledger, r.findings.State)
}
