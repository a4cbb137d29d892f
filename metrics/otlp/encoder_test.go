package otlp

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/abs-exporter/abs-exporter/metrics"
)

func everything(*target, *metrics.Snapshot) bool { return true }

// collect pushes and gives the requests.
func collect(t testing.TB, e *encoder, snapshots map[string]*metrics.Snapshot, now time.Time) (requests [][]byte) {
	t.Helper()
	err := e.push(snapshots, everything, now, now, func(b *buffer, _ int) error {
		requests = append(requests, slices.Clone(b.request()))
		b.release()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return requests
}

// A model that churns: after each push the receiver has exactly the series of the snapshots, with their values and
// starts; what went was ended; all points of a push bear its time; no request is past the limit.
func TestReceiverHasWhatTheSnapshotsHave(t *testing.T) {
	const limit = 2000
	r := rand.New(rand.NewPCG(1, 7))
	e := newEncoder(encodeResource(map[string]string{"service.name": "abs-exporter"}), encodeScope("1"), limit, prometheus.NewRegistry())
	series := map[string]*metrics.Series{}
	receiver := map[string]told{}
	failures := 0
	for round := range 150 {
		snapshots, want := map[string]*metrics.Snapshot{}, map[string]told{}
		now := e.stamp(born.Add(time.Duration(round) * time.Minute))
		for _, target := range []string{"a", "b"} {
			if r.IntN(10) == 0 {
				continue // the target is gone
			}
			var samples []metrics.Sample
			for _, f := range []*metrics.Family{metrics.Requests, metrics.TokenRequests, metrics.TokenWindowRequests} {
				for n := range 30 {
					values := []string{target}
					if f.HasLabel("token") {
						values = append(values, fmt.Sprintf("t%d\"\n", n))
					} else if n > 0 {
						break
					}
					if r.IntN(4) == 0 {
						continue
					}
					key := f.Name + fmt.Sprint(values)
					var created time.Time
					if f.Type == metrics.Counter {
						created = born.Add(time.Duration(round) * time.Second)
					}
					// A series lives on, is born anew, or is a new one of the same labels, as those of gauges are.
					if series[key] == nil || r.IntN(5) == 0 {
						series[key] = metrics.NewSeries(f, created, values...)
					}
					samples = append(samples, metrics.Sample{Series: series[key], Value: r.Int64N(1 << 53)})
				}
			}
			if r.IntN(3) == 0 { // another order
				slices.Reverse(samples)
			}
			snapshots[target] = snapshot(samples...)
			for _, s := range samples {
				p := told{value: s.Value, start: nanoseconds(s.Series.Created()), time: nanoseconds(now), unit: "{requests}"}
				want[s.Series.Family().Name+fmt.Sprint(maps.Collect(s.Series.Labels()))] = p
			}
		}
		fail := -1
		if r.IntN(5) == 0 {
			fail = r.IntN(3)
		}
		n := 0
		err := e.push(snapshots, everything, now, now, func(b *buffer, _ int) error {
			defer b.release()
			if len(b.request()) > limit {
				t.Errorf("a request of %d bytes", len(b.request()))
			}
			if n++; n-1 == fail {
				return errors.New("the receiver is gone")
			}
			for key, p := range points(t, b.request()) {
				if p.time != nanoseconds(now) {
					t.Errorf("%s has another time than its push", key)
				}
				if p.ended {
					delete(receiver, key)
				} else {
					receiver[key] = p
				}
			}
			return nil
		})
		if err != nil {
			failures++
			continue // the next push must make it good
		}
		if !maps.Equal(receiver, want) {
			t.Fatalf("round %d: the receiver has %d series, want %d:\n%v\n%v", round, len(receiver), len(want), receiver, want)
		}
	}
	if failures == 0 {
		t.Error("no push failed")
	}
}

// What does not change is encoded once: a push of the same series allocates next to nothing.
func TestPushesOfKnownSeriesDoNotAllocate(t *testing.T) {
	var samples []metrics.Sample
	for n := range 10_000 {
		samples = append(samples, counter("shop", fmt.Sprint(n), int64(n)))
	}
	e := newEncoder(nil, nil, largestRequest, prometheus.NewRegistry())
	now, s := born, map[string]*metrics.Snapshot{"shop": snapshot(samples...)}
	push := func() {
		now = now.Add(time.Minute)
		if err := e.push(s, everything, now, now, func(b *buffer, _ int) error { b.release(); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	push()
	if n := testing.AllocsPerRun(10, push); n > 30 {
		t.Errorf("%v allocations for 10,000 series", n)
	}
	// Nor do new Series of the same labels, as those of gauges are with each commit.
	for i := range samples {
		samples[i].Series = metrics.NewSeries(metrics.TokenRequests, born, samples[i].Series.Values()...)
	}
	s = map[string]*metrics.Snapshot{"shop": snapshot(samples...)}
	if n := testing.AllocsPerRun(10, push); n > 30 {
		t.Errorf("%v allocations for 10,000 series that were made anew", n)
	}
}

// An ending that was not delivered is told again, but not for ever, and not once the series is back.
func TestEndings(t *testing.T) {
	e := newEncoder(nil, nil, largestRequest, prometheus.NewRegistry())
	one, two := counter("shop", "1", 1), counter("shop", "2", 2)
	at := func(minute int) time.Time { return born.Add(time.Duration(minute) * time.Minute) }
	of := func(samples ...metrics.Sample) map[string]*metrics.Snapshot {
		return map[string]*metrics.Snapshot{"shop": snapshot(samples...)}
	}
	fail := func(minute int, samples ...metrics.Sample) {
		if err := e.push(of(samples...), everything, at(minute), at(minute), func(b *buffer, _ int) error { b.release(); return errors.New("gone") }); err == nil {
			t.Fatal("it did not fail")
		}
	}
	key := func(token string) string {
		return fmt.Sprintf("abs_token_requests_total%v", map[string]string{"target": "shop", "token": token})
	}

	collect(t, e, of(one, two), at(0))
	fail(1, one)
	if got := merged(t, collect(t, e, of(one), at(2))); !got[key("2")].ended || got[key("1")].ended {
		t.Errorf("after a failure: %v", got)
	}
	if got := merged(t, collect(t, e, of(one), at(3))); len(got) != 1 {
		t.Errorf("it is ended twice: %v", got)
	}
	fail(4)
	if got := merged(t, collect(t, e, of(one), at(5))); got[key("1")].ended || len(got) != 1 {
		t.Errorf("it is back: %v", got)
	}
	fail(6)
	fail(20)
	if got := merged(t, collect(t, e, of(), at(21))); len(got) != 0 {
		t.Errorf("the receiver has forgotten it long ago: %v", got)
	}
	if got := collect(t, e, nil, at(22)); len(got) != 0 || len(e.targets) != 0 {
		t.Errorf("the target is gone: %d requests, %d targets", len(got), len(e.targets))
	}
}

// The health's histograms and summaries, and a histogram with +Inf among its buckets.
func TestHealthIsConverted(t *testing.T) {
	reg := prometheus.NewRegistry()
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "h_seconds", Help: "H.", Unit: "seconds", Buckets: []float64{1, 2.5}})
	s := prometheus.NewSummary(prometheus.SummaryOpts{Name: "s", Help: "S.", Objectives: map[float64]float64{0.5: 0.1}})
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "g", Help: "G."})
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "c_total", Help: "C."})
	n := prometheus.NewCounter(prometheus.CounterOpts{Name: metrics.StateSaveFailures.Name, Help: "A count of the table."})
	reg.MustRegister(h, s, g, c, n)
	for _, v := range []float64{0.5, 2, 2.5, 9} {
		h.Observe(v)
		s.Observe(v)
	}
	g.Set(-1.5)
	c.Add(3)
	n.Add(4)
	e := newEncoder(nil, nil, largestRequest, reg)
	requests := collect(t, e, nil, born)
	if len(requests) != 1 {
		t.Fatalf("%d requests", len(requests))
	}
	seen := 0
	for _, m := range items(t, requests[0]) {
		name := string(first(t, m, fieldMetricName).bytes)
		for _, f := range []struct {
			name string
			data protowire.Number
		}{{"h_seconds", fieldMetricHistogram}, {"s", fieldMetricSummary}, {"g", fieldMetricGauge}, {"c_total", fieldMetricSum}, {metrics.StateSaveFailures.Name, fieldMetricSum}} {
			if f.name != name {
				continue
			}
			seen++
			point := first(t, first(t, m, f.data).bytes, fieldDataPoints).bytes
			switch name {
			case "h_seconds":
				if unit := string(first(t, m, fieldMetricUnit).bytes); unit != "s" {
					t.Errorf("unit %q", unit)
				}
				counts := doubles(first(t, point, fieldHistogramBuckets).bytes)
				bounds := doubles(first(t, point, fieldHistogramBounds).bytes)
				if first(t, point, fieldHistogramCount).value != 4 || len(counts) != 3 || !slices.Equal(bounds, []float64{1, 2.5}) {
					t.Errorf("histogram: %d counts, bounds %v", len(counts), bounds)
				}
				if first(t, point, fieldStart).value == 0 {
					t.Error("the histogram has no start")
				}
			case "s":
				if first(t, point, fieldSummaryCount).value != 4 || first(t, point, fieldSummaryQuantiles).bytes == nil {
					t.Error("the summary lacks count or quantiles")
				}
			case "g":
				if got := first(t, point, fieldAsDouble).value; got != bits(-1.5) {
					t.Errorf("gauge %x", got)
				}
			case "c_total":
				if first(t, point, fieldAsDouble).value != bits(3) || first(t, point, fieldStart).value == 0 {
					t.Error("counter without value or start")
				}
			default:
				if first(t, point, fieldAsInt).value != 4 || first(t, point, fieldAsDouble).number != 0 {
					t.Error("a count of the table is no integer")
				}
			}
		}
	}
	if seen != 5 {
		t.Errorf("%d of 5 families", seen)
	}
	// A family that is gathered no more is ended, with all the series that Prometheus made of it.
	reg.Unregister(g)
	reg.Unregister(h)
	reg.Unregister(s)
	ended := map[string]bool{}
	for _, m := range items(t, collect(t, e, nil, born.Add(time.Minute))[0]) {
		switch name := string(first(t, m, fieldMetricName).bytes); name {
		case "g":
			point := first(t, first(t, m, fieldMetricGauge).bytes, fieldDataPoints).bytes
			ended[name] = first(t, point, fieldNumberFlags).value == flagNoRecordedValue
		case "h_seconds":
			point := first(t, first(t, m, fieldMetricHistogram).bytes, fieldDataPoints).bytes
			ended[name] = first(t, point, fieldHistogramFlags).value == flagNoRecordedValue && first(t, point, fieldHistogramSum).number != 0 &&
				slices.Equal(doubles(first(t, point, fieldHistogramBuckets).bytes), []float64{0, 0, 0}) &&
				slices.Equal(doubles(first(t, point, fieldHistogramBounds).bytes), []float64{1, 2.5})
		case "s":
			point := first(t, first(t, m, fieldMetricSummary).bytes, fieldDataPoints).bytes
			quantile := first(t, point, fieldSummaryQuantiles).bytes
			ended[name] = first(t, point, fieldSummaryFlags).value == flagNoRecordedValue && first(t, point, fieldSummarySum).number != 0 &&
				first(t, quantile, fieldQuantile).value == bits(0.5)
		}
	}
	if !maps.Equal(ended, map[string]bool{"g": true, "h_seconds": true, "s": true}) {
		t.Errorf("ended are %v", ended)
	}
}

// An ending is forgotten only by a push that told of it: not by one of another target, and not where a part was refused.
func TestEndingsOfTwoTargets(t *testing.T) {
	e := newEncoder(nil, nil, largestRequest, prometheus.NewRegistry())
	minute := 0
	push := func(due string, refuse bool, a, b *metrics.Snapshot) map[string]told {
		t.Helper()
		var requests [][]byte
		minute++
		now := born.Add(time.Duration(minute) * time.Minute)
		only := func(t *target, _ *metrics.Snapshot) bool { return due == "" || t == e.targets[due] }
		err := e.push(map[string]*metrics.Snapshot{"a": a, "b": b}, only, now, now, func(b *buffer, _ int) error {
			requests = append(requests, slices.Clone(b.request()))
			e.unsure = e.unsure || refuse
			b.release()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return merged(t, requests)
	}
	ends := func(points map[string]told) (n int) {
		for _, p := range points {
			if p.ended {
				n++
			}
		}
		return n
	}
	a1, a2, b1 := counter("a", "1", 1), counter("a", "2", 1), counter("b", "1", 1)
	all, less, b := snapshot(a1, a2), snapshot(a1), snapshot(b1)
	push("", false, all, b)
	if got := push("a", true, less, b); ends(got) != 1 {
		t.Errorf("the ending was not told: %v", got)
	}
	if got := push("b", false, less, b); len(got) != 1 || ends(got) != 0 {
		t.Errorf("a push of b tells %v", got)
	}
	if got := push("a", false, less, b); ends(got) != 1 {
		t.Errorf("the ending was forgotten by a push of the other target: %v", got)
	}
	if got := push("", false, less, b); ends(got) != 0 {
		t.Errorf("it is told again: %v", got)
	}
}

func TestNoGaugeHasAUnitThatRenamesIt(t *testing.T) {
	for _, f := range metrics.Table() {
		switch u := unit(f.Unit); {
		case u == "", u == "s", u == "By", u[0] == '{' && u[len(u)-1] == '}':
		default:
			t.Errorf("%s: unit %q", f.Name, u)
		}
	}
}
