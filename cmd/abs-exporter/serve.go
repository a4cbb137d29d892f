package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/common/promslog"
	"golang.org/x/sync/errgroup"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/collector/statedir"
	"github.com/abs-exporter/abs-exporter/metrics"
	"github.com/abs-exporter/abs-exporter/metrics/otlp"
)

func runServe(ctx context.Context, c *config.Serve, clock collector.Clock, stderr io.Writer) error {
	lines := newLogWriter(stderr)
	defer lines.close()
	ignoreHangup(ctx, newLogger(c.Log, lines))
	e, err := newExporter(&c.Settings, clock, lines)
	if err != nil {
		return err
	}
	return e.run(ctx)
}

// ignoreHangup logs SIGHUP until ctx ends. Supervisors send it to have a configuration read again;
// by default it would end the process.
func ignoreHangup(ctx context.Context, log *slog.Logger) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		defer signal.Stop(signals)
		for {
			select {
			case <-signals:
				log.Warn("signal ignored", "signal", "SIGHUP", "consequence", "the configuration is not read again; restart to apply changes")
			case <-ctx.Done():
				return
			}
		}
	}()
}

func newLogger(c config.Log, w io.Writer) *slog.Logger {
	level, format := promslog.NewLevel(), promslog.NewFormat()
	_, _ = level.Set(c.Level), format.Set(c.Format) // valid: the flags accept nothing else
	return slog.New(boundedLog{promslog.New(&promslog.Config{Level: level, Format: format, Writer: w}).Handler()})
}

// exporter is serve, ready to run: the collector that polls ABS and the listeners that answer
// scrapes. The two share only what is published.
type exporter struct {
	collector *collector.Collector
	listeners []net.Listener // of the pages
	probe     net.Listener   // nil without --web.probe-address
	pages     *pages
	pusher    *otlp.Pusher // nil if nothing is pushed
	webConfig string
	log       *slog.Logger
	closers   []func() error

	leftBehind atomic.Bool // a cycle, by the collector
}

// newExporter opens the listeners and restores the state. It sends no request to ABS.
func newExporter(s *config.Settings, clock collector.Clock, lines *logWriter) (_ *exporter, err error) {
	b := build()
	log := newLogger(s.Log, lines)
	lines.onResume(func(n int64) {
		log.Warn("log lines dropped", "lines", n, "consequence", "nobody read the log, or it could not be written; counting and serving went on")
	})
	log.Info("starting abs-exporter", "version", b.Version, "revision", b.Revision, "go", b.GoVersion)

	for _, w := range s.Warnings {
		log.Warn("doubtful setting", "setting", w.Setting, "detail", w.Detail, "consequence", w.Consequence)
	}

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
	metrics.RegisterLog(registry, lines.droppedLines)
	health := metrics.NewHealth(registry)
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

	environment := collector.Environment{Health: health, Publisher: exposition, Clock: clock, OtherShards: s.OtherShards}
	e.pusher, err = newPusher(&s.OTLP, otlp.Options{
		Version: b.Version, Instance: instance(e.listeners[0].Addr()), Registry: registry,
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
	targets := make([]collector.Target, len(s.Targets))
	for i, t := range s.Targets {
		client, err := newClient(&t, func(c *abs.Config) {
			c.Observe, c.Now = collector.ObserveCalls(health, t.Name, clock, log), clock.Now
		}, log)
		if err != nil {
			return nil, fmt.Errorf("target %s: %w", t.Name, err)
		}
		e.closers = append(e.closers, func() error { client.Close(); return nil })
		targets[i] = collector.Target{
			Name:        t.Name,
			URL:         t.URL,
			ABS:         client,
			Location:    t.Location,
			Inclusive:   t.Inclusive(),
			Forensics:   !t.Restricted(),
			ResponseCap: int64(t.ResponseCap),
			Timeout:     t.RequestLimit(),
		}
		if t.Restricted() {
			log.Info("polling as the restricted user", "target", t.Name, "consequence", "ABS obfuscates tokens and refuses forensics")
		}
		if s.Forensics.AttackReports {
			targets[i].AttackReports = client
		}
		if s.Admin.Enabled {
			targets[i].Admin = client
		}
	}
	e.collector, err = collector.New(collectorOptions(s), targets, environment)
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
		settings:      s.Effective,
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

func collectorOptions(s *config.Settings) collector.Options {
	return collector.Options{
		Times: collector.Times{
			Interval:    s.Collect.Interval,
			Slot:        s.Collect.Slot,
			Reread:      s.Collect.Reread,
			Settle:      s.Collect.Settle,
			Window:      s.Collect.Window,
			Lookback:    s.Collect.Lookback,
			MaxBackfill: s.Collect.MaxBackfill,
		},
		Series: collector.Series{
			MaxTokens:  s.Series.MaxTokens,
			MaxValues:  s.Series.MaxValues,
			Dimensions: s.TokenDimensions,
			Expire:     s.Series.Expire,
		},
		Forensics:     s.Forensics.Enabled,
		ForensicsRate: s.Forensics.Rate,
		Catalogue:     s.Catalogue,
		Audit:         s.Audit.Interval,
		AdminInterval: s.Admin.Interval,
		LogEvents:     s.Log.Events,
		StateDir:      s.State.Dir,
	}
}

// drainTime is how long requests in flight may take after a signal: less than the ten seconds that
// Docker waits, and ample for a scrape.
const drainTime = 5 * time.Second

// run polls and serves until ctx ends, or until one of the two fails.
func (e *exporter) run(ctx context.Context) error {
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

	// Answers scrapes, people and probes. Each listener has a server of its own, because
	// exporter-toolkit wraps a server's handler once per listener.
	for _, l := range e.listeners {
		group.Go(func() error { return serveListener(ctx, l, e.pages.handler(), e.webConfig, e.log) })
	}

	// Answers probes without authentication, if --web.probe-address is set.
	if e.probe != nil {
		group.Go(func() error { return serveListener(ctx, e.probe, e.pages.probes(), "", e.log) })
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
