package otlp

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	client "github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/otelenv"
	"github.com/abs-exporter/abs-exporter/metrics"
	"github.com/abs-exporter/abs-exporter/metrics/otlp"
)

// exporter is what serve is to a Prometheus and to a receiver, without the polling.
type exporter struct {
	registry   *client.Registry
	health     *metrics.Health
	exposition *metrics.Exposition
	page       *httptest.Server
	pushers    []*otlp.Pusher
	own        []*client.Registry // of the pushers
	interval   time.Duration      // between pushes; default a second
	log        *logBook
}

func newExporter(t *testing.T) *exporter {
	t.Helper()
	registry := metrics.NewRegistry(metrics.Build{Version: "1.2.3", Revision: "abc", GoVersion: "go"})
	e := &exporter{registry: registry, health: metrics.NewHealth(registry), log: &logBook{}}
	e.exposition = metrics.NewExposition(registry, metrics.Options{Registerer: registry, Committed: func() {
		for _, p := range e.pushers {
			p.Commit()
		}
	}})
	e.page = httptest.NewServer(e.exposition)
	t.Cleanup(e.page.Close)
	return e
}

// push starts a pusher, configured as an operator would, and returns how to end it.
func (e *exporter) push(t *testing.T, env map[string]string) (stop func()) {
	t.Helper()
	config, problems := otelenv.Read(func(name string) string { return env[name] }, "", nil)
	if i := slices.IndexFunc(problems, func(p otelenv.Problem) bool { return !p.Warning }); i >= 0 {
		t.Fatal(problems[i])
	}
	config.Interval = cmp.Or(e.interval, time.Second)
	// Several pushers of one exporter are for tests only: each has a registry for its own
	// health, in front of the common one.
	registry := overlay{client.NewRegistry(), e.registry}
	e.own = append(e.own, registry.Registry)
	p, err := otlp.New(config, otlp.Options{
		Version: "1.2.3", Instance: "test:10464", Registry: registry, Published: e.exposition.Published, Now: time.Now, Log: slog.New(slog.NewTextHandler(e.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	e.pushers = append(e.pushers, p)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = p.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	return stop
}

type overlay struct {
	*client.Registry
	behind client.Gatherer
}

func (o overlay) Gather() ([]*dto.MetricFamily, error) {
	return client.Gatherers{o.Registry, o.behind}.Gather()
}

func (e *exporter) publish(s *metrics.Snapshot) {
	e.exposition.Publish("shop", s)
}

// fullSnapshot has every family that a snapshot can hold, and values that need care.
func fullSnapshot(created time.Time, round int64) *metrics.Snapshot {
	s := &metrics.Snapshot{}
	for i, f := range metrics.Table() {
		if !f.InSnapshot() {
			continue
		}
		block := metrics.Block{Family: f}
		for n := range 3 {
			values := []string{"shop"}
			for _, name := range f.Labels[1:] {
				values = append(values, fmt.Sprintf("%s %d: \"x\"\\y\nzü", name, n))
			}
			var at time.Time
			value := int64(i+n) * round
			if f.Type == metrics.Counter {
				at = created.Add(time.Duration(n) * time.Millisecond)
				value += 1 << 53 // the last whole number that a float holds, and beyond it only even ones
				value &^= 1
			}
			block.Samples = append(block.Samples, metrics.Sample{Series: metrics.NewSeries(f, at, values...), Value: value})
			if len(f.Labels) == 1 {
				break
			}
		}
		s.Blocks = append(s.Blocks, block)
	}
	return s
}

func initHealth(h *metrics.Health) {
	h.Init("shop")
	h.Up.WithLabelValues("shop").Set(1)
	h.LastNewRequests.WithLabelValues("shop").Set(1.79e9)
	h.AuditMissing.WithLabelValues("shop").Set(3)
	h.AuditSurplus.WithLabelValues("shop").Set(5)
	h.ForensicsOldestAge.WithLabelValues("shop").Set(12.5)
	h.StateLastSave.WithLabelValues("shop").Set(1.79e9)
	h.ReportLastSuccess.WithLabelValues("shop", abs.ReportTokens).Set(1.79e9)
	h.ReportFailures.WithLabelValues("shop", abs.ReportTokens, string(abs.ReasonAuth)).Add(3)
	h.RequestDelay.With("shop").ObserveN(100, 1000)
	for _, v := range []float64{0.004, 0.3, 70} {
		h.ReportDuration.WithLabelValues("shop", abs.ReportTokens).Observe(v)
		h.CycleDuration.WithLabelValues("shop").Observe(v)
	}
}

// One Prometheus has the same series by four ways: a scrape, a push to its own receiver,
// and pushes by both protocols to a Collector that it scrapes. Names, labels, values and
// start times are equal, and what ends by one way ends by all.
func TestPushesShowWhatAScrapeShows(t *testing.T) {
	t.Parallel()
	e := newExporter(t)
	initHealth(e.health)
	byGRPC, byHTTP := startCollector(t), startCollector(t)
	job := func(via, address string) string {
		return fmt.Sprintf("- {job_name: %s, honor_labels: true, static_configs: [{targets: [%q], labels: {via: %s}}]}\n", via, address, via)
	}
	p := startPrometheus(t, job("scrape", strings.TrimPrefix(e.page.URL, "http://"))+job("grpc", byGRPC.page)+job("http", byHTTP.page))
	e.push(t, map[string]string{
		"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": p.url + "/api/v1/otlp/v1/metrics",
		"OTEL_EXPORTER_OTLP_COMPRESSION":      "gzip",
	})
	e.push(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + byGRPC.grpc, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
		"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_LOGS_EXPORTER": "none",
	})
	e.push(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + byHTTP.http, "OTEL_LOGS_EXPORTER": "none"})

	created := time.Now().Add(-time.Minute).Truncate(time.Millisecond).Add(123 * time.Millisecond)
	e.publish(fullSnapshot(created, 1))
	ways := []string{"", "grpc", "http"}
	await := func(what string, least, most int) {
		t.Helper()
		var problem string
		limit := time.Now().Add(patience)
		for {
			scraped := p.series(t, "scrape")
			problem = ""
			if len(scraped) < least || len(scraped) > most {
				problem = fmt.Sprintf("a scrape shows %d series", len(scraped))
			}
			for _, via := range ways {
				if d := difference(scraped, p.series(t, via)); d != "" {
					problem = fmt.Sprintf("by way %q: %s", via, d)
				}
			}
			if problem == "" {
				t.Logf("%s: %d series equal by 4 ways", what, len(scraped))
				return
			}
			if time.Now().After(limit) {
				t.Fatalf("%s: not equal after %v: %s\n%s", what, patience, problem, e.log)
			}
			<-time.After(200 * time.Millisecond)
		}
	}
	await("at first", 200, 400)
	for _, via := range []string{"scrape", "", "grpc", "http"} {
		got := p.series(t, via)[`abs_requests_total{target="shop"}`]
		if got.start != model.TimeFromUnixNano(created.UnixNano()) {
			t.Errorf("way %q: the start is %v, want %v", via, got.start.Time(), created)
		}
	}

	e.publish(fullSnapshot(created, 2))
	await("with other values", 200, 400)

	// Most of everything ends, and is gone after the look-back of the receivers.
	s := fullSnapshot(created, 3)
	for i := range s.Blocks {
		s.Blocks[i].Samples = s.Blocks[i].Samples[:1]
	}
	s.Blocks = s.Blocks[:len(s.Blocks)-3]
	e.health.Forget("shop") // with its histograms: each of their series must end
	e.publish(s)
	await("after most has ended", 20, 50)

	initHealth(e.health)
	e.publish(fullSnapshot(created.Add(30*time.Second), 4))
	await("after it is back", 200, 400)
	if strings.Contains(e.log.String(), "level=WARN") {
		t.Errorf("the log has warnings:\n%s", e.log)
	}
}

// difference says where two sets of series are not equal. What the pushes say of
// themselves changes with each, and each pusher of this test has its own.
func difference(scraped, pushed map[string]stored) string {
	var lines []string
	for key, want := range scraped {
		got, ok := pushed[key]
		switch {
		case strings.HasPrefix(key, "abs_exporter_otlp_"):
		case !ok:
			lines = append(lines, key+" is missing")
		case got != want:
			lines = append(lines, fmt.Sprintf("%s is %+v, scraped %+v", key, got, want))
		}
	}
	for key := range pushed {
		if _, ok := scraped[key]; !ok && !strings.HasPrefix(key, "abs_exporter_otlp_") {
			lines = append(lines, key+" was not scraped")
		}
	}
	if len(lines) > 5 {
		lines = append(lines[:5], fmt.Sprintf("and %d more", len(lines)-5))
	}
	return strings.Join(lines, "; ")
}
