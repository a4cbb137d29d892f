package promtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/logging"
)

// job is the value of the label job of everything scraped here.
const job = "promtest"

// Prometheus is a Prometheus inside the test's process: the scrape manager, the database and the
// query engine of the real one, wired as in its main without feature flags.
type Prometheus struct {
	tb      testing.TB
	db      *tsdb.DB
	engine  *promql.Engine
	scrapes *scrapes
}

// Option changes how Start sets a Prometheus up.
type Option func(*settings)

type settings struct{ scrapeConfig []string }

// ScrapeConfig adds lines to the scrape configuration, each a full key in YAML, such as
// `scrape_protocols: [PrometheusProto]` or `tls_config: {insecure_skip_verify: true}`.
func ScrapeConfig(lines ...string) Option {
	return func(s *settings) { s.scrapeConfig = append(s.scrapeConfig, lines...) }
}

// Start scrapes the page at target (a full URL, such as http://127.0.0.1:10464/metrics) every
// interval until the test ends. It returns at once; Await waits until samples are stored.
func Start(tb testing.TB, target string, interval time.Duration, options ...Option) *Prometheus {
	tb.Helper()
	p, err := start(tb, target, interval, options)
	if err != nil {
		tb.Fatalf("starting a Prometheus on %s: %v", target, err)
	}
	return p
}

func start(tb testing.TB, target string, interval time.Duration, options []Option) (*Prometheus, error) {
	var set settings
	for _, o := range options {
		o(&set)
	}
	cfg, err := configFor(target, interval, set.scrapeConfig)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	db, err := tsdb.Open(tb.TempDir(), log, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("closing Prometheus's database: %v", err)
		}
	})
	p := &Prometheus{tb: tb, db: db, engine: newEngine(log), scrapes: newScrapes(db)}
	manager, err := scrape.NewManager(
		// The two options only make targets known without the usual delay of five seconds; they do
		// not change what is stored of a scrape.
		&scrape.Options{DiscoveryReloadOnStartup: true, DiscoveryReloadInterval: model.Duration(100 * time.Millisecond)},
		log, logging.NewJSONFileLogger, nil, p.scrapes, prometheus.NewRegistry(),
	)
	if err != nil {
		return nil, fmt.Errorf("making the scrape manager: %w", err)
	}
	if err := manager.ApplyConfig(cfg); err != nil {
		return nil, fmt.Errorf("applying the scrape configuration: %w", err)
	}
	groups := make(chan map[string][]*targetgroup.Group, 1)
	groups <- staticGroups(cfg)
	ended := make(chan error, 1)
	go func() { ended <- manager.Run(groups) }()
	tb.Cleanup(func() { // runs before the database closes: last in, first out
		manager.Stop()
		if err := <-ended; err != nil {
			tb.Errorf("Prometheus's scrape manager: %v", err)
		}
	})
	return p, nil
}

// newEngine returns the query engine with the settings of Prometheus's main.
func newEngine(log *slog.Logger) *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		Logger:               log,
		MaxSamples:           50_000_000,
		Timeout:              2 * time.Minute,
		LookbackDelta:        5 * time.Minute,
		EnableAtModifier:     true, // always on in Prometheus
		EnableNegativeOffset: true, // likewise
		Parser:               parser.NewParser(parser.Options{}),
	})
}

// configFor uses Prometheus's own YAML, so that every setting that is not named has Prometheus's
// default.
func configFor(target string, interval time.Duration, lines []string) (*config.Config, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	if u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the target has to be a full http or https URL")
	}
	var y strings.Builder
	fmt.Fprintf(&y, "scrape_configs:\n- job_name: %s\n", job)
	fmt.Fprintf(&y, "  scheme: %q\n  metrics_path: %q\n", u.Scheme, u.Path)
	fmt.Fprintf(&y, "  scrape_interval: %[1]s\n  scrape_timeout: %[1]s\n", model.Duration(interval))
	if q := u.Query(); len(q) > 0 {
		fmt.Fprint(&y, "  params:\n")
		for k, values := range q {
			fmt.Fprintf(&y, "    %q:\n", k)
			for _, v := range values {
				fmt.Fprintf(&y, "    - %q\n", v)
			}
		}
	}
	fmt.Fprintf(&y, "  static_configs: [{targets: [%q]}]\n", u.Host)
	for _, line := range lines {
		fmt.Fprintf(&y, "  %s\n", line)
	}
	cfg, err := config.Load(y.String(), slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, fmt.Errorf("the scrape configuration: %w", err)
	}
	return cfg, nil
}

// staticGroups returns what service discovery would find: the configuration's only target.
func staticGroups(cfg *config.Config) map[string][]*targetgroup.Group {
	groups := map[string][]*targetgroup.Group{}
	for _, sc := range cfg.ScrapeConfigs {
		for _, d := range sc.ServiceDiscoveryConfigs {
			if static, ok := d.(discovery.StaticConfig); ok {
				groups[sc.JobName] = append(groups[sc.JobName], static...)
			}
		}
	}
	return groups
}

// Await waits until n more scrapes that began after the call are stored, whether they succeeded or
// not. When ctx ends first, the test has failed.
func (p *Prometheus) Await(ctx context.Context, n int) {
	p.tb.Helper()
	// One target's scrapes follow one another, so the next to be stored may have begun before the
	// call, and none after it.
	if err := p.scrapes.wait(ctx, p.scrapes.count()+n+1); err != nil {
		p.tb.Fatalf("waiting for %d more scrapes: %v", n, err)
	}
}

// Until calls done now and after every scrape that is stored, until it returns true. When ctx ends
// first, the test has failed with what in its message.
func (p *Prometheus) Until(ctx context.Context, what string, done func() bool) {
	p.tb.Helper()
	for seen := p.scrapes.count(); !done(); seen = p.scrapes.count() {
		if err := p.scrapes.wait(ctx, seen+1); err != nil {
			p.tb.Fatalf("waiting until %s: %v", what, err)
		}
	}
}

// Query returns the result of Prometheus's engine for an instant query at a time; a scalar is one
// sample without labels. A query that fails ends the test.
func (p *Prometheus) Query(expr string, at time.Time) promql.Vector {
	p.tb.Helper()
	q, err := p.engine.NewInstantQuery(context.Background(), p.db, nil, expr, at)
	if err != nil {
		p.tb.Fatalf("query %s: %v", expr, err)
	}
	defer q.Close()
	result := q.Exec(context.Background())
	if result.Err != nil {
		p.tb.Fatalf("query %s: %v", expr, result.Err)
	}
	switch v := result.Value.(type) {
	case promql.Vector:
		// The engine reuses its slices once the query is closed.
		return append(promql.Vector(nil), v...)
	case promql.Scalar:
		return promql.Vector{{T: v.T, F: v.V}}
	}
	p.tb.Fatalf("query %s: the answer is a %s, not a vector or a scalar", expr, result.Value.Type())
	return nil
}
