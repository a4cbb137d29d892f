package otlp

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// newProducer has a registry without families, a clock that only the test moves, and what is
// published by the exposition.
func newProducer(registry *prometheus.Registry, now *time.Time) (*producer, *metrics.Exposition) {
	e := metrics.NewExposition(registry, metrics.Options{})
	p := &Pusher{Options: Options{Registry: registry, Version: "1", Published: e.Published, Now: func() time.Time { return *now }}}
	return &producer{Pusher: p, out: &metricsOut{}}, e
}

// produced are the points of a push that are integers, by name and attributes.
func produced(t testing.TB, p *producer) map[string]point {
	t.Helper()
	scopes, err := p.Produce(t.Context())
	if err != nil || len(scopes) != 1 || scopes[0].Scope.Name != scopeName || scopes[0].Scope.Version != "1" {
		t.Fatalf("%+v, %v", scopes, err)
	}
	all, names := map[string]point{}, map[string]bool{}
	for _, m := range scopes[0].Metrics {
		if names[m.Name] {
			t.Errorf("%s is there twice", m.Name)
		}
		names[m.Name] = true
		var data []metricdata.DataPoint[int64]
		switch d := m.Data.(type) {
		case metricdata.Gauge[int64]:
			data = d.DataPoints
		case metricdata.Sum[int64]:
			if data = d.DataPoints; !d.IsMonotonic || d.Temporality != metricdata.CumulativeTemporality {
				t.Errorf("%s is no monotonic cumulative sum", m.Name)
			}
		}
		for _, d := range data {
			labels := map[string]string{}
			for _, kv := range d.Attributes.ToSlice() {
				labels[string(kv.Key)] = kv.Value.AsString()
			}
			key := m.Name + fmt.Sprint(labels)
			if _, twice := all[key]; twice {
				t.Errorf("%s is there twice", key)
			}
			all[key] = point{d.Value, nanoseconds(d.StartTime), nanoseconds(d.Time), m.Unit}
		}
	}
	return all
}

func nanoseconds(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixNano())
}

// A model that churns: each push has exactly the series of the snapshots, with their values and
// start times and one time, and what is kept from push to push is what the last one had.
func TestPushHasWhatTheSnapshotsHave(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	now := created
	p, e := newProducer(prometheus.NewRegistry(), &now)
	model := churn{r, map[string]*metrics.Series{}}
	own := map[string]*metrics.OwnLabels{}
	for round := range 200 {
		now = now.Add(time.Minute)
		want := map[string]point{}
		if round%20 == 0 { // as after a reload
			own["b"] = metrics.NewOwnLabels(map[string]string{"env": fmt.Sprint(round), "zone": "eu"})
		}
		for _, target := range []string{"a", "b"} {
			if r.IntN(10) == 0 { // the target is gone
				e.Publish(target, nil)
				continue
			}
			samples := model.samples(target, created.Add(time.Duration(round)*time.Second))
			published := snapshot(samples...)
			published.Labels = own[target]
			e.Publish(target, published)
			for _, s := range samples {
				labels := maps.Collect(s.Series.Labels())
				maps.Insert(labels, own[target].All())
				want[s.Series.Family().Name+fmt.Sprint(labels)] = point{
					s.Value, nanoseconds(s.Series.Created()), nanoseconds(now), "{requests}",
				}
			}
		}
		if got := produced(t, p); !maps.Equal(got, want) {
			t.Fatalf("round %d: %d series, want %d:\n%v\n%v", round, len(got), len(want), got, want)
		}
		if len(p.sets) != len(want) {
			t.Errorf("%d attribute sets are kept, want %d", len(p.sets), len(want))
		}
	}
}

// churn makes samples at random. A series lives on, is left out, or is another one of the same
// labels.
type churn struct {
	*rand.Rand
	series map[string]*metrics.Series
}

func (c churn) samples(target string, start time.Time) []metrics.Sample {
	var all []metrics.Sample
	add := func(f *metrics.Family, start time.Time, values ...string) {
		if c.IntN(20) == 0 {
			return
		}
		key := f.Name + fmt.Sprint(values)
		if c.series[key] == nil || c.IntN(20) == 0 {
			c.series[key] = metrics.NewSeries(f, start, values...)
		}
		all = append(all, metrics.Sample{Series: c.series[key], Value: c.Int64N(1 << 53)})
	}
	add(metrics.Requests, start, target)
	for _, f := range []*metrics.Family{metrics.TokenRequests, metrics.TokenWindowRequests} {
		begun := start
		if f.Type != metrics.Counter {
			begun = time.Time{}
		}
		for n := range 30 {
			add(f, begun, target, fmt.Sprintf("t%d\"\n", n))
		}
	}
	if c.IntN(3) == 0 { // another order
		slices.Reverse(all)
	}
	return all
}

// Two pushes never have one time, whatever the clock does: Prometheus refuses the second.
func TestTimesOfPushes(t *testing.T) {
	now := created
	p, e := newProducer(prometheus.NewRegistry(), &now)
	e.Publish("shop", snapshot(counter("shop", "1", 1)))
	var last uint64
	for _, step := range []time.Duration{0, 0, time.Microsecond, -time.Hour, time.Minute} {
		now = now.Add(step)
		for _, got := range produced(t, p) {
			if got.time < last+1e6 || got.time%1e6 != 0 {
				t.Errorf("the time %d follows %d", got.time, last)
			}
			last = got.time
		}
	}
}

// Attributes are made once: a push of the same series makes only its points.
func TestPushOfKnownSeriesDoesNotAllocate(t *testing.T) {
	var samples []metrics.Sample
	for n := range 10_000 {
		samples = append(samples, counter("shop", fmt.Sprint(n), int64(n)))
	}
	now := created
	p, e := newProducer(prometheus.NewRegistry(), &now)
	e.Publish("shop", snapshot(samples...))
	push := func() {
		if _, err := p.Produce(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	push()
	if n := testing.AllocsPerRun(10, push); n > 100 {
		t.Errorf("%v allocations for 10,000 series", n)
	}
}

// docs/opentelemetry.md promises some 300 bytes a series.
func TestMemoryOfASeries(t *testing.T) {
	const n = 50_000
	samples := make([]metrics.Sample, 0, n)
	for i := range n {
		samples = append(samples, metrics.Sample{
			Series: metrics.NewSeries(metrics.TokenMethodRequests, created, "production", fmt.Sprintf("%016x", i/4), fmt.Sprint("METHOD", i%4)), Value: 1,
		})
	}
	now := created
	p, e := newProducer(prometheus.NewRegistry(), &now)
	e.Publish("production", snapshot(samples...))
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for range 2 {
		if _, err := p.Produce(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if per := float64(int64(heap())-int64(before)) / n; per > 400 {
		t.Errorf("%.0f bytes a series", per)
	} else {
		t.Logf("%.0f bytes a series", per)
	}
	runtime.KeepAlive(p)
}

// The registry's families keep names, units, types and start times, and histograms their classic
// buckets.
func TestRegistryIsConverted(t *testing.T) {
	reg := prometheus.NewRegistry()
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: metrics.CycleDuration.Name, Help: "H.", Buckets: []float64{1, 2.5}, NativeHistogramBucketFactor: 1.1})
	s := prometheus.NewSummary(prometheus.SummaryOpts{Name: "s", Help: "S.", Objectives: map[float64]float64{0.5: 0.1}})
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "g", Help: "G."})
	u := prometheus.NewUntypedFunc(prometheus.UntypedOpts{Name: "u"}, func() float64 { return 7 })
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "c_total", Help: "C."}, []string{"b", "a"})
	n := prometheus.NewCounter(prometheus.CounterOpts{Name: metrics.StateSaveFailures.Name, Help: "A count of the table."})
	reg.MustRegister(h, s, g, u, c, n)
	for _, v := range []float64{0.5, 2, 2.5, 9} {
		h.Observe(v)
		s.Observe(v)
	}
	g.Set(-1.5)
	c.WithLabelValues("x", "y").Add(3)
	n.Add(4)
	at := created.Truncate(time.Millisecond)
	byName := map[string]metricdata.Metrics{}
	for _, m := range gathered(reg, at) {
		byName[m.Name] = m
	}
	begun := func(start, time_ time.Time) bool {
		return !start.IsZero() && start.Equal(start.Truncate(time.Millisecond)) && time_.Equal(at)
	}
	if d, ok := byName[metrics.CycleDuration.Name].Data.(metricdata.Histogram[float64]); !ok || byName[metrics.CycleDuration.Name].Unit != "s" || d.Temporality != metricdata.CumulativeTemporality {
		t.Errorf("the histogram is %+v", byName[metrics.CycleDuration.Name])
	} else if p := d.DataPoints[0]; p.Count != 4 || p.Sum != 14 || !slices.Equal(p.Bounds, []float64{1, 2.5}) || !slices.Equal(p.BucketCounts, []uint64{1, 2, 1}) || !begun(p.StartTime, p.Time) {
		t.Errorf("the histogram's point is %+v", p)
	}
	if d, ok := byName["s"].Data.(metricdata.Summary); !ok || d.DataPoints[0].Count != 4 || d.DataPoints[0].QuantileValues[0].Quantile != 0.5 || !begun(d.DataPoints[0].StartTime, d.DataPoints[0].Time) {
		t.Errorf("the summary is %+v", byName["s"])
	}
	for name, want := range map[string]float64{"g": -1.5, "u": 7} {
		if d, ok := byName[name].Data.(metricdata.Gauge[float64]); !ok || d.DataPoints[0].Value != want || !d.DataPoints[0].StartTime.IsZero() || byName[name].Unit != "" {
			t.Errorf("%s is %+v", name, byName[name])
		}
	}
	if d, ok := byName["c_total"].Data.(metricdata.Sum[float64]); !ok || d.DataPoints[0].Value != 3 || !d.IsMonotonic || !begun(d.DataPoints[0].StartTime, d.DataPoints[0].Time) {
		t.Errorf("the counter is %+v", byName["c_total"])
	} else if v, _ := d.DataPoints[0].Attributes.Value("a"); v.AsString() != "y" || d.DataPoints[0].Attributes.Len() != 2 {
		t.Errorf("the counter's attributes are %+v", d.DataPoints[0].Attributes)
	}
	if d, ok := byName[metrics.StateSaveFailures.Name].Data.(metricdata.Sum[int64]); !ok || d.DataPoints[0].Value != 4 || !begun(d.DataPoints[0].StartTime, d.DataPoints[0].Time) {
		t.Errorf("a count of the table is %+v", byName[metrics.StateSaveFailures.Name])
	}
}

// Scrapes read what the registry gathers at the same time, so nothing of it may be written to.
func TestRegistryIsNotWrittenTo(t *testing.T) {
	reg := prometheus.NewRegistry()
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "c_total", Help: "C."})
	reg.MustRegister(c)
	var before, after dto.Metric
	if err := c.Write(&before); err != nil {
		t.Fatal(err)
	}
	want := before.GetCounter().GetCreatedTimestamp().AsTime()
	gathered(reg, created)
	if err := c.Write(&after); err != nil {
		t.Fatal(err)
	}
	if got := after.GetCounter().GetCreatedTimestamp().AsTime(); !got.Equal(want) {
		t.Errorf("the counter's start time became %v, was %v", got, want)
	}
}

func TestNoUnitRenamesAGauge(t *testing.T) {
	for _, f := range metrics.Table() {
		switch u := f.UCUM(); {
		case u == "", u == "s", u == "By", u[0] == '{' && u[len(u)-1] == '}':
		default:
			t.Errorf("%s: unit %q", f.Name, u)
		}
	}
}
