package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/logging"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/pages"
	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/collector/statedir"
	"github.com/abs-exporter/abs-exporter/metrics"
	"github.com/abs-exporter/abs-exporter/metrics/otlp"
)

func runServe(
	ctx context.Context, c *config.Serve, parse func() (*config.Settings, error), clock collector.Clock, stderr io.Writer,
) error {
	// By default SIGHUP would end the process, from its start on.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	lines := logging.NewWriter(stderr)
	defer lines.Close()
	e, err := newExporter(&c.Settings, clock, lines)
	if err != nil {
		return err
	}
	e.reloader.parse = parse
	if c.Web.EnableLifecycle {
		e.pages.Reload = e.reloader.request
	}
	return e.run(ctx, hangup)
}

// exporter is serve, ready to run: the collector that polls ABS and the listeners that answer
// scrapes. The two share only what is published.
type exporter struct {
	collector *collector.Collector
	listeners []net.Listener // of the pages
	probe     net.Listener   // nil without --web.probe-address
	pages     *pages.Pages
	reloader  *reloader
	pusher    *otlp.Pusher // nil if nothing is pushed
	webConfig string
	log       *slog.Logger
	closers   []func() error

	leftBehind atomic.Bool // a cycle, by the collector
}

// newExporter opens the listeners and restores the state. It sends no request to ABS.
func newExporter(s *config.Settings, clock collector.Clock, lines *logging.Writer) (_ *exporter, err error) {
	b := build()
	level := logging.Level(s.Log)
	log := logging.At(level, s.Log, lines)
	lines.OnResume(func(n int64) {
		log.Warn("log lines dropped", "lines", n, "consequence", "nobody read the log, or it could not be written; counting and serving went on")
	})
	log.Info("starting abs-exporter", "version", b.Version, "revision", b.Revision, "go", b.GoVersion)

	logDoubtful(s, log)

	logSharding(s, log)

	e := &exporter{webConfig: s.Web.Config.File, log: log}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	// Addresses first: a second exporter on this machine should fail here, before it touches the
	// state of the first.
	if err := e.listen(&s.Web); err != nil {
		return nil, err
	}

	registry := metrics.NewRegistry(b)
	metrics.RegisterLog(registry, lines.DroppedLines)
	health := metrics.NewHealth(registry)
	reloads := metrics.NewReloads(registry)
	exposition := metrics.NewExposition(registry, metrics.Options{
		OpenMetricsCreated: s.Web.OpenmetricsCreated,
		MaxRequests:        s.Web.MaxRequests,
		Registerer:         registry,
		Committed: func() {
			if e.pusher != nil {
				e.pusher.Commit()
			}
		},
		Logger: log,
	})

	environment := collector.Environment{
		Health: health, Publisher: exposition, Clock: clock, OtherShards: s.OtherShards, StateDir: s.State.Dir,
	}
	e.pusher, err = newPusher(&s.OTLP, otlp.Options{
		Version: b.Version, Instance: instance(e.listeners[0].Addr()),
		Registry: struct {
			prometheus.Registerer
			prometheus.Gatherer
		}{registry, exposition},
		Published: exposition.Published, Now: clock.Now, Log: log,
	})
	if err != nil {
		return nil, err
	}
	if e.pusher != nil {
		e.closers = append(e.closers, func() error { e.pusher.Close(); return nil })
		environment.Events = e.pusher.Event
	}

	lock, err := statedir.Open(s.State.Dir)
	if err != nil {
		return nil, err
	}
	e.closers = append(e.closers, func() error {
		if e.leftBehind.Load() {
			return nil // it may still write; the end of the process unlocks the directory
		}
		return lock.Close()
	})
	environment.Log = log
	if environment.Key, err = tokenKey(s.Series.TokenKeyFile, s.State.Dir, log); err != nil {
		return nil, err
	}
	e.reloader = newReloader(s, reloads, health, level, clock, log)
	targets, err := e.reloader.targets(s.Targets, s)
	if err != nil {
		return nil, err
	}
	e.collector, err = collector.New(targets, environment)
	if err != nil {
		return nil, err
	}
	e.reloader.collector = e.collector
	reloads.Succeeded(clock.Now())
	e.pages = &pages.Pages{
		Collector:     e.collector,
		Metrics:       exposition,
		TelemetryPath: s.Web.TelemetryPath,
		Build:         b,
		Now:           clock.Now,
		Started:       clock.Now(),
		Settings:      e.reloader.settings.Load,
		Profiles:      s.Web.EnablePprof,
	}
	return e, nil
}

// logSharding logs which part of the targets this process polls, where there are several shards.
func logSharding(s *config.Settings, log *slog.Logger) {
	if s.OtherShards == nil {
		return
	}
	shard := []any{
		"shard", s.Sharding.Shard, "shards", s.Sharding.Shards,
		"targets", len(s.Targets), "of", len(s.Targets) + len(s.OtherShards),
	}
	log.Info("polling the targets of a shard", shard...)
	if len(s.Targets) == 0 {
		log.Warn("no target in this shard", append(shard, "consequence", "this process polls nothing; fewer shards would do")...)
	}
}

// newClient returns the client of a target, whose settings configure completes, and logs a warning
// for each unsafe setting.
func newClient(t *config.Target, configure func(*abs.Config), log *slog.Logger) (*abs.Client, error) {
	c := t.ClientConfig()
	c.UserAgent = "abs-exporter/" + build().Version
	configure(&c)
	client, err := abs.NewClient(c)
	if err != nil {
		return nil, err
	}
	for _, w := range client.Warnings() {
		log.Warn("unsafe setting", "target", t.Name, "detail", w)
	}
	return client, nil
}

// drainTime is how long requests in flight may take after a signal: less than the ten seconds that
// Docker waits, and ample for a scrape.
const drainTime = 5 * time.Second

// run polls and serves until ctx ends, or until one of the two fails. The configuration is read
// again on each hangup; nil: never.
func (e *exporter) run(ctx context.Context, hangup <-chan os.Signal) error {
	defer e.close()
	group, ctx := errgroup.WithContext(ctx)

	// Polls the targets. The cycle in progress is cut when ctx ends; only then does the pusher end,
	// so that the last snapshot is pushed.
	polled, ended := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error {
		defer ended()
		err := e.collector.Run(ctx)
		if errors.Is(err, collector.ErrLeftBehind) {
			e.leftBehind.Store(true)
			e.log.Warn("cycle cut after the drain time", "consequence", "the next start goes on from the last saved state; nothing is lost or counted twice")
			return nil
		}
		return err
	})

	// Pushes what is published, if --otlp.endpoint is set.
	if e.pusher != nil {
		group.Go(func() error { return e.pusher.Run(polled) })
	}

	// Reads the configuration again when it is asked to, or when its file has changed.
	if e.reloader.parse != nil {
		group.Go(func() error { e.reloader.run(ctx, hangup); return nil })
	}

	// Answers scrapes, people and probes. Each listener has a server of its own, because
	// exporter-toolkit wraps a server's handler once per listener.
	for _, l := range e.listeners {
		group.Go(func() error { return serveListener(ctx, l, e.pages.Handler(), e.webConfig, e.log) })
	}

	// Answers probes without authentication, if --web.probe-address is set.
	if e.probe != nil {
		group.Go(func() error { return serveListener(ctx, e.probe, e.pages.Probes(), "", e.log) })
	}

	if err := group.Wait(); err != nil {
		return err
	}
	e.log.Info("ended")
	return nil
}

// close releases all that newExporter has opened. It can be called twice.
func (e *exporter) close() {
	for _, c := range e.closers {
		_ = c() // a server has closed its listener; the end of the process releases the lock too
	}
}
