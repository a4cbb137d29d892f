package metrics

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

func gather(t *testing.T, g prometheus.Gatherer) map[string]*dto.MetricFamily {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*dto.MetricFamily{}
	for _, f := range families {
		byName[f.GetName()] = f
	}
	return byName
}

// Every field of Health is set, and there is one for each family of the group but those of the
// process: the build, the log and the configuration.
func TestHealthHasAFieldAFamily(t *testing.T) {
	h := NewHealth(prometheus.NewRegistry())
	fields := 0
	v := reflect.ValueOf(h).Elem()
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			continue
		}
		fields++
		if v.Field(i).IsNil() {
			t.Errorf("%s was not made", v.Type().Field(i).Name)
		}
	}
	want := -4
	for _, f := range Table() {
		if f.Group == GroupHealth && !f.InSnapshot() {
			want++
		}
	}
	if fields != want {
		t.Errorf("%d fields for %d families", fields, want)
	}
}

// Init sets metrics to 0, except those for which 0 would be untrue.
func TestHealthInit(t *testing.T) {
	reg := prometheus.NewRegistry()
	h := NewHealth(reg)
	h.Init("shop")
	h.Init("bank")
	got := map[string]int{}
	for name, f := range gather(t, reg) {
		got[name] = len(f.GetMetric())
		for _, m := range f.GetMetric() {
			if m.GetCounter().GetValue() != 0 || m.GetGauge().GetValue() != 0 || m.GetHistogram().GetSampleCount() != 0 {
				t.Errorf("%s is not 0: %v", name, m)
			}
			if m.Gauge == nil && m.GetCounter().GetCreatedTimestamp() == nil && m.GetHistogram().GetCreatedTimestamp() == nil {
				t.Errorf("%s has no created timestamp", name)
			}
		}
	}
	want := map[string]int{
		"abs_exporter_cycle_duration_seconds": 2, "abs_exporter_report_duration_seconds": 10, "abs_exporter_report_bytes_total": 10,
		"abs_exporter_report_failures_total": 70, "abs_exporter_empty_reports_total": 2, "abs_exporter_report_rows_skipped_total": 12,
		"abs_exporter_report_mismatches_total": 8, "abs_exporter_report_repeats_total": 10,
		"abs_exporter_slots": 4, "abs_request_delay_seconds": 2,
		"abs_exporter_forensics_tokens":          8,
		"abs_exporter_state_save_failures_total": 2,
		"abs_exporter_target_panics_total":       2,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}

	h.Up.WithLabelValues("shop").Set(1)
	h.Up.WithLabelValues("bank").Set(1)
	h.Forget("shop")
	for name, f := range gather(t, reg) {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == LabelTarget && l.GetValue() != "bank" {
					t.Errorf("%s still has target %s", name, l.GetValue())
				}
			}
		}
	}
}

func TestDurationsAreNativeAndClassicHistograms(t *testing.T) {
	reg := prometheus.NewRegistry()
	h := NewHealth(reg)
	h.ReportDuration.WithLabelValues("shop", "oauthtokens").Observe(0.3)
	h.CycleDuration.WithLabelValues("shop").Observe(0.3)
	families := gather(t, reg)
	for _, f := range []*Family{ReportDuration, CycleDuration} {
		m := families[f.Name].GetMetric()[0].GetHistogram()
		if len(m.GetBucket()) != len(f.Buckets) || len(m.GetPositiveSpan()) == 0 {
			t.Errorf("%s: %d classic buckets, %d native spans", f.Name, len(m.GetBucket()), len(m.GetPositiveSpan()))
		}
	}
}

// A weighted observation equals as many plain ones.
func TestRequestDelayCountsEachRequest(t *testing.T) {
	reg := prometheus.NewRegistry()
	h := NewHealth(reg).RequestDelay.With("shop")
	plain := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "plain", Help: "h", Buckets: RequestDelay.Buckets})
	reg.MustRegister(plain)
	for _, o := range []struct {
		delay float64
		n     int64
	}{{0, 5}, {59.9, 1}, {60, 2}, {60.1, 3}, {10800, 4}, {10801, 6}, {1e6, 1}, {1200, 0}, {1200, -3}} {
		h.ObserveN(o.delay, o.n)
		for range o.n {
			plain.Observe(o.delay)
		}
	}
	families := gather(t, reg)
	got, want := families[RequestDelay.Name].GetMetric()[0].GetHistogram(), families["plain"].GetMetric()[0].GetHistogram()
	if got.GetSampleCount() != want.GetSampleCount() || got.GetSampleCount() != 22 || got.GetSampleSum() != want.GetSampleSum() {
		t.Errorf("count %d, sum %v; want %d, %v", got.GetSampleCount(), got.GetSampleSum(), want.GetSampleCount(), want.GetSampleSum())
	}
	equal := func(a, b *dto.Bucket) bool {
		return a.GetUpperBound() == b.GetUpperBound() && a.GetCumulativeCount() == b.GetCumulativeCount()
	}
	if !slices.EqualFunc(got.GetBucket(), want.GetBucket(), equal) {
		t.Errorf("buckets %v\nwant %v", got.GetBucket(), want.GetBucket())
	}
}

func TestBuildInfo(t *testing.T) {
	b := ReadBuild("1.2.3", "")
	if b.Version != "1.2.3" || b.Revision == "" || !strings.HasPrefix(b.GoVersion, "go") {
		t.Errorf("build %+v", b)
	}
	if got := ReadBuild("", "0123abc").Revision; got != "0123abc" {
		t.Errorf("revision %q set at link time", got)
	}
	if got := ReadBuild("", "").Version; got == "" {
		t.Error("a build without a version has no placeholder")
	}
	families := gather(t, NewRegistry(b))
	if m := families["abs_exporter_build_info"].GetMetric(); len(m) != 1 || m[0].GetGauge().GetValue() != 1 {
		t.Errorf("build info %v", m)
	}
	for _, name := range []string{"go_goroutines", "process_start_time_seconds"} {
		if families[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
}
