package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/common/promslog"
	"golang.org/x/sync/errgroup"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/metrics"
	"github.com/abs-exporter/abs-exporter/metrics/otlp"
)

func (in *invocation) runServe(ctx context.Context, stderr io.Writer) error {
	clock, err := newClock()
	if err != nil {
		return &usageError{err}
	}
	log, err := newLogger(in.cli.Serve.Log, stderr)
	if err != nil {
		return err
	}
	e, err := newExporter(&in.cli.Serve.settings, in.targets, clock, log)
	if err != nil {
		return err
	}
	return e.run(ctx)
}

func newLogger(f logFlags, w io.Writer) (*slog.Logger, error) {
	level, format := promslog.NewLevel(), promslog.NewFormat()
	if err := errors.Join(level.Set(f.Level), format.Set(f.Format)); err != nil {
		return nil, &usageError{err}
	}
	return promslog.New(&promslog.Config{Level: level, Format: format, Writer: w}), nil
}

// exporter is serve with everything in its place: the collector that asks, and the
// listeners that answer. Nothing connects the two but what is published.
type exporter struct {
	collector *collector.Collector
	clients   []*abs.Client
	listeners []net.Listener // of the pages
	probe     net.Listener   // nil without --web.probe-address
	pages     *pages
	lock      *collector.StateLock // nil before it was asked for
	pusher    *otlp.Pusher         // nil: nothing is pushed
	webConfig string
	log       *slog.Logger
}

// newExporter opens the listeners and reads the state, but asks nothing of ABS yet.
func newExporter(s *settings, targets []targetFlags, clock collector.Clock, log *slog.Logger) (_ *exporter, err error) {
	b := build()
	log.Info("starting abs-exporter", "version", b.Version, "revision", b.Revision, "go", b.GoVersion)

	e := &exporter{webConfig: s.Web.Config.File, log: log}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	// First the addresses: a second exporter on this machine should fail here, and not
	// after it has touched the state of the first.
	if err := e.listen(&s.Web); err != nil {
		return nil, err
	}

	registry := metrics.NewRegistry(b)
	health := metrics.NewHealth(registry)
	exposition := metrics.NewExposition(registry, metrics.Options{
		OpenMetricsCreated: s.Web.OpenmetricsCreated,
		Registerer:         registry,
		Logger:             log,
	})

	options := s.collectorOptions()
	publisher := collector.Publisher(exposition)
	e.pusher, err = s.OTLP.pusher(b, e.listeners[0].Addr(), registry, clock, log)
	if err != nil {
		return nil, err
	}
	if e.pusher != nil {
		publisher, options.Events = both{exposition, e.pusher}, e.pusher.Event
	}

	if e.lock, err = collector.LockState(s.State.Dir); err != nil {
		return nil, err
	}
	key, err := tokenKey(s.Series.TokenKeyFile, s.State.Dir, log)
	if err != nil {
		return nil, err
	}
	asked := make([]collector.Target, len(targets))
	for i, t := range targets {
		client, err := t.client(b, health, clock, log)
		if err != nil {
			return nil, err
		}
		e.clients = append(e.clients, client)
		asked[i] = collector.Target{
			Name:        t.Name,
			ABS:         client,
			Location:    t.location,
			Inclusive:   t.WindowEnd == windowEndInclusive,
			Forensics:   t.User != userRestricted,
			ResponseCap: int64(t.ResponseCap),
		}
		if s.Forensics.AttackReports {
			asked[i].AttackReports = client
		}
	}
	e.collector, err = collector.New(options, asked, key, health, publisher, clock, log)
	if err != nil {
		return nil, err
	}
	e.pages = &pages{
		collector:     e.collector,
		metrics:       exposition,
		telemetryPath: s.Web.TelemetryPath,
		build:         b,
		clock:         clock,
		started:       clock.Now(),
		refresh:       s.Collect.Interval,
	}
	return e, nil
}

// client makes the client of a target, and tells the log what should not stay so.
func (t targetFlags) client(b metrics.Build, health *metrics.Health, clock collector.Clock, log *slog.Logger) (*abs.Client, error) {
	config := t.clientConfig()
	config.UserAgent = "abs-exporter/" + b.Version
	config.Observe = collector.ObserveCalls(health, t.Name, clock)
	client, err := abs.NewClient(config)
	if err != nil {
		return nil, fmt.Errorf("target %s: %w", t.Name, err)
	}
	for _, w := range client.Warnings() {
		log.Warn(w, "target", t.Name)
	}
	if t.User == userRestricted {
		log.Info("asking as the restricted user: tokens are obfuscated by ABS, and there is no forensics", "target", t.Name)
	}
	return client, nil
}

func (s *settings) collectorOptions() collector.Options {
	return collector.Options{
		Interval:      s.Collect.Interval,
		Slot:          s.Collect.Slot,
		Reread:        s.Collect.Reread,
		Settle:        s.Collect.Settle,
		Window:        s.Collect.Window,
		Lookback:      s.Collect.Lookback,
		MaxBackfill:   s.Collect.MaxBackfill,
		Forensics:     s.Forensics.Enabled,
		ForensicsRate: s.Forensics.Rate,
		Severities:    s.Forensics.Severity,
		MaxTokens:     s.Series.MaxTokens,
		MaxValues:     s.Series.MaxValues,
		Dimensions:    s.Series.Dimensions,
		Expire:        s.Series.Expire,
		Audit:         s.Audit.Interval,
		StateDir:      s.State.Dir,
	}
}

// drainTime is how long requests under way may take once the exporter is told to end:
// less than the ten seconds that Docker gives, and ample for a scrape.
const drainTime = 5 * time.Second

// run polls and serves until ctx ends, or until one of the two fails.
func (e *exporter) run(ctx context.Context) error {
	defer e.close()
	group, ctx := errgroup.WithContext(ctx)

	// Polls the targets; the cycle under way is cut when ctx ends. What it told last is
	// pushed after that.
	polled, ended := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error {
		defer ended()
		return e.collector.Run(ctx)
	})

	// Pushes what is published, where that was asked for.
	if e.pusher != nil {
		group.Go(func() error { return e.pusher.Run(polled) })
	}

	// Answers scrapes, people and probes, each listener with a server of its own,
	// because exporter-toolkit wraps a server's handler once for each listener.
	for _, l := range e.listeners {
		group.Go(func() error { return serveListener(ctx, l, e.pages.handler(), e.webConfig, e.log) })
	}

	// Answers probes without auth, where that was asked for.
	if e.probe != nil {
		group.Go(func() error { return serveListener(ctx, e.probe, e.pages.probes(), "", e.log) })
	}

	err := group.Wait()
	if err != nil {
		return err
	}
	e.log.Info("ended")
	return nil
}

// close gives up what run did not: it can be called twice.
func (e *exporter) close() {
	for _, l := range e.listeners {
		_ = l.Close() // it was closed by its server, or nobody has used it
	}
	if e.probe != nil {
		_ = e.probe.Close() // as above
	}
	for _, c := range e.clients {
		c.Close()
	}
	if e.pusher != nil {
		e.pusher.Close()
	}
	if e.lock != nil {
		_ = e.lock.Close() // the process's end would let go of it too
	}
}
