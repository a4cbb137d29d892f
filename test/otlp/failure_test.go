package otlp

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/abs-exporter/abs-exporter/metrics"
	"github.com/abs-exporter/abs-exporter/metrics/otlp"
)

// largeSnapshot has n series, and values that distinguish rounds.
func largeSnapshot(n int, round int64) *metrics.Snapshot {
	samples := make([]metrics.Sample, 0, n)
	for i := range n {
		samples = append(samples, metrics.Sample{
			Series: metrics.NewSeries(metrics.TokenMethodRequests, time.UnixMilli(1_790_000_000_123), "shop", fmt.Sprintf("%016x", i/4), methods[i%4]),
			Value:  int64(i) * round,
		})
	}
	return &metrics.Snapshot{Blocks: []metrics.Block{{Family: metrics.TokenMethodRequests, Samples: samples}}}
}

var methods = [...]string{"GET", "POST", "PUT", "DELETE"}

// burden is what a process can have ever more of.
type burden struct {
	goroutines, descriptors int
	heap                    uint64
}

func measure() burden {
	http.DefaultClient.CloseIdleConnections() // the test's own
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	open, _ := os.ReadDir("/proc/self/fd") // none on systems without
	return burden{runtime.NumGoroutine(), len(open), m.HeapAlloc}
}

// grown fails where the process bears more than before. What ends just now has time for it, and so
// has a push that is under way.
func grown(t *testing.T, before burden, when string) {
	t.Helper()
	var after burden
	for limit := time.Now().Add(patience); ; <-time.After(50 * time.Millisecond) {
		after = measure()
		if after.goroutines <= before.goroutines+2 && after.descriptors <= before.descriptors+2 && after.heap <= before.heap+8<<20 {
			t.Logf("%s: %d goroutines, were %d; %d descriptors, were %d; heap %+.1f MiB", when, after.goroutines, before.goroutines, after.descriptors, before.descriptors, (float64(after.heap)-float64(before.heap))/(1<<20))
			return
		}
		if time.Now().After(limit) {
			t.Errorf("before %+v, %s %+v", before, when, after)
			return
		}
	}
}

// waits counts the commits that wait. One may wait for a processor of a busy machine; those that
// wait for a receiver do so for its time limit of a second, each of them.
type waits struct{ all, long int }

func (w *waits) enter(took time.Duration) {
	w.all++
	if took > 500*time.Millisecond {
		w.long++
	}
}

func (w *waits) check(t *testing.T) {
	t.Helper()
	if w.long*3 > w.all {
		t.Errorf("%d of %d commits waited for the receiver", w.long, w.all)
	}
}

// Whatever a receiver does, the exporter neither waits nor grows, and the receiver has
// everything again as soon as it takes something.
func TestReceiverThatFails(t *testing.T) {
	const series = 5000 // some requests
	for _, tc := range []struct {
		name, protocol string
		mood           mood
		outcome        string
	}{
		{"gRPC, busy", otlp.ProtocolGRPC, busy, metrics.OutcomeFailure},
		{"gRPC, hanging", otlp.ProtocolGRPC, hanging, metrics.OutcomeFailure},
		{"gRPC, refusing a part", otlp.ProtocolGRPC, partly, metrics.OutcomePartial},
		{"gRPC, refusing", otlp.ProtocolGRPC, refusing, metrics.OutcomeFailure},
		{"gRPC, quota", otlp.ProtocolGRPC, exhausted, metrics.OutcomeFailure},
		{"gRPC, too long", otlp.ProtocolGRPC, tooLong, metrics.OutcomeFailure},
		{"HTTP, 429", otlp.ProtocolHTTP, busy, metrics.OutcomeFailure},
		{"HTTP, hanging", otlp.ProtocolHTTP, hanging, metrics.OutcomeFailure},
		{"HTTP, 413", otlp.ProtocolHTTP, tooLong, metrics.OutcomeFailure},
		{"HTTP, 503", otlp.ProtocolHTTP, down, metrics.OutcomeFailure},
		{"HTTP, refusing a part", otlp.ProtocolHTTP, partly, metrics.OutcomePartial},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e, r := newExporter(t), newReceiver()
			e.interval = 400 * time.Millisecond
			endpoint := r.serve(t, tc.protocol)
			e.push(t, map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": tc.protocol,
				"OTEL_EXPORTER_OTLP_TIMEOUT": "1000", "OTEL_LOGS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_HEADERS": "authorization=" + canary,
			})
			s := largeSnapshot(series, 1)
			e.publish(s)
			until(t, "the receiver has everything", func() bool { return r.differs(s) == "" })
			before := measure()

			r.set(tc.mood)
			asked := r.asked()
			var commits waits
			for round := range int64(30) { // far more commits than pushes can be tried
				s = largeSnapshot(series-int(round), round+2)
				begun := time.Now()
				e.publish(s)
				commits.enter(time.Since(begun))
			}
			commits.check(t)
			until(t, "the receiver was asked twice more", func() bool { return r.asked() >= asked+2 })
			grown(t, before, "while it fails")
			until(t, "a request with outcome "+tc.outcome+" is counted", func() bool { return e.requests(t, tc.outcome) > 0 })

			r.set(well)
			until(t, "the receiver has everything again", func() bool { return r.differs(s) == "" })
			grown(t, before, "afterwards")
			if n := strings.Count(e.log.String(), "level=WARN"); n != 1 {
				t.Errorf("%d warnings, want one:\n%s", n, e.log)
			}
			if strings.Contains(e.log.String(), canary) {
				t.Errorf("the log repeats what the receiver was sent:\n%s", e.log)
			}
			if large := tc.mood == exhausted || tc.mood == tooLong; large != strings.Contains(e.log.String(), "--otlp.batch-size") {
				t.Errorf("the log says of the size of requests:\n%s", e.log)
			}
		})
	}
}

// A quota refusal, which does not say when to come back: a push of metrics makes the requests that
// it always makes, one of events few, and what is lost is counted.
func TestQuotaRefusals(t *testing.T) {
	for _, protocol := range []string{otlp.ProtocolGRPC, otlp.ProtocolHTTP} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			e, r := newExporter(t), newReceiver()
			e.interval = time.Minute // one push only is counted
			endpoint := r.serve(t, protocol)
			r.set(exhausted)
			e.push(t, map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_HEADERS": "authorization=" + canary,
			})
			for range 2000 {
				e.pushers[0].Event(events()[0])
			}
			until(t, "all events are counted", func() bool { return e.dropped(t, metrics.SignalLogs) == 2000 })
			if n := r.asked(); n > 5 {
				t.Errorf("%d requests for 2,000 events", n)
			}
			before := r.asked()
			e.publish(largeSnapshot(4000, 1)) // 3 requests
			until(t, "all points are counted", func() bool { return e.dropped(t, metrics.SignalMetrics) >= 4000 })
			if n := r.asked() - before; n != 3 {
				t.Errorf("%d requests for 4,000 points", n)
			}
			if strings.Contains(e.log.String(), canary) {
				t.Errorf("the log has %s", e.log)
			}
		})
	}
}

// A Collector that is paused for a minute, or killed and started anew, gets every event, and shows
// what /metrics shows.
func TestNoEventIsLost(t *testing.T) {
	for _, protocol := range []string{otlp.ProtocolGRPC, otlp.ProtocolHTTP} {
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, killed %v", protocol, killed), func(t *testing.T) {
				t.Parallel()
				e, c := newExporter(t), startCollector(t)
				initHealth(e.health)
				address := map[string]string{otlp.ProtocolGRPC: c.grpc, otlp.ProtocolHTTP: c.http}[protocol]
				e.push(t, map[string]string{
					"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + address, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_TIMEOUT": "2000",
				})
				sent := 0
				round := func() {
					one := events()[0]
					one.Token = fmt.Sprintf("%016x", sent)
					e.pushers[0].Event(one)
					sent++
					e.publish(fullSnapshot(time.UnixMilli(1_790_000_000_123), int64(sent)))
				}
				complete := func() bool {
					return hasEvents(c.out.String(), sent) &&
						difference(pageSeries(t, e.page.URL), pageSeries(t, "http://"+c.page+"/metrics")) == ""
				}
				round()
				until(t, "the Collector has everything", complete)
				away, leave, comeBack := 30, func() { c.signal(t, syscall.SIGSTOP) }, func() { c.signal(t, syscall.SIGCONT) }
				if killed {
					away, leave, comeBack = 5, func() { kill(c.cmd) }, func() { c.start(t) }
				}
				leave()
				for range away { // a minute, or ten seconds
					round()
					<-time.After(2 * time.Second)
				}
				comeBack()
				until(t, "it has everything again", complete)
				if n := e.dropped(t, metrics.SignalLogs); n != 0 {
					t.Errorf("%v events dropped", n)
				}
			})
		}
	}
}

// hasEvents reports whether the Collector printed the first n events that TestNoEventIsLost sends.
func hasEvents(printed string, n int) bool {
	for i := range n {
		if !strings.Contains(printed, fmt.Sprintf("-> token: Str(%016x)", i)) {
			return false
		}
	}
	return true
}

// signal sends a signal to the Collector's process.
func (c *otelcol) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// dropped is the exporter's own count of what was lost.
func (e *exporter) dropped(t *testing.T, signal string) float64 {
	t.Helper()
	return e.count(t, metrics.OTLPDropped.Name, map[string]string{"signal": signal})
}

// requests is the exporter's own count of its pushes.
func (e *exporter) requests(t *testing.T, outcome string) float64 {
	t.Helper()
	return e.count(t, metrics.OTLPRequests.Name, map[string]string{"outcome": outcome})
}

// count sums the counters of the family that have these labels, and others.
func (e *exporter) count(t *testing.T, name string, labels map[string]string) (n float64) {
	t.Helper()
	for _, registry := range e.own {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				found := 0
				for _, l := range m.GetLabel() {
					if labels[l.GetName()] == l.GetValue() {
						found++
					}
				}
				if f.GetName() == name && found == len(labels) {
					n += m.GetCounter().GetValue()
				}
			}
		}
	}
	return n
}

// A Collector that is paused: its page shows what /metrics shows as soon as it is there again.
func TestCollectorIsPaused(t *testing.T) {
	for _, protocol := range []string{"grpc", "http/protobuf"} {
		t.Run(protocol, func(t *testing.T) { // alone: goroutines are counted
			e, c := newExporter(t), startCollector(t)
			initHealth(e.health)
			address := map[string]string{"grpc": c.grpc, "http/protobuf": c.http}[protocol]
			e.push(t, map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + address, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
				"OTEL_EXPORTER_OTLP_TIMEOUT": "1000",
			})
			created := time.Now().Add(-time.Minute)
			equal := func(what string) {
				t.Helper()
				var d string
				defer func() {
					if t.Failed() {
						t.Log(d)
					}
				}()
				until(t, what, func() bool {
					d = difference(pageSeries(t, e.page.URL), pageSeries(t, "http://"+c.page+"/metrics"))
					return d == ""
				})
			}
			e.publish(fullSnapshot(created, 1))
			equal("the Collector shows everything")
			before := measure()

			c.signal(t, syscall.SIGSTOP)
			e.publish(fullSnapshot(created, 2))
			until(t, "a push has failed", func() bool { return e.requests(t, metrics.OutcomeFailure) > 1 })
			for range 30 {
				e.publish(fullSnapshot(created, 3))
			}
			until(t, "more have failed", func() bool { return e.requests(t, metrics.OutcomeFailure) > 3 })
			grown(t, before, "while it is paused")
			c.signal(t, syscall.SIGCONT)
			equal("after a pause")
			grown(t, before, "after the pause")
		})
	}
}

// pageSeries are the abs_* series of a page.
func pageSeries(t *testing.T, url string) map[string]stored {
	t.Helper()
	resp, err := http.DefaultClient.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	vector, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{Timestamp: 1}, ofABS(families)...)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]stored{}
	for _, s := range vector {
		delete(s.Metric, "job")
		delete(s.Metric, "instance")
		found[s.Metric.String()] = stored{value: float64(s.Value)}
	}
	return found
}

func ofABS(families map[string]*dto.MetricFamily) (all []*dto.MetricFamily) {
	for name, f := range families {
		if strings.HasPrefix(name, "abs_") {
			all = append(all, f)
		}
	}
	return all
}
