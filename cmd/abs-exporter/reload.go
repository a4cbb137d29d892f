package main

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/promslog"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// watchEvery is how often the configuration file is read to see whether it has changed. It is a
// small file, and reading it finds every kind of change: inotify reports none on network file
// systems and bind mounts, and watches a directory that Kubernetes replaces by a link.
const watchEvery = 5 * time.Second

// reloader reads the configuration again and hands it to the collector. One goroutine does both, so
// that two reloads never mix.
type reloader struct {
	parse     func() (*config.Settings, error) // nil: there is none to be read
	collector *collector.Collector
	health    *metrics.Health
	reloads   *metrics.Reloads
	level     *promslog.Level
	clock     collector.Clock
	log       *slog.Logger

	file     string           // that is watched; empty: none
	started  *config.Settings // what takes effect at a restart only is as it was then
	settings atomic.Pointer[config.Settings]
	tried    [sha256.Size]byte // of the file that was last read as a configuration
	seen     [sha256.Size]byte // of the file as it was last seen
	requests chan chan<- reloaded
	ended    chan struct{} // is closed when run has ended
}

// reloaded is how a reload ended.
type reloaded struct {
	status int // of HTTP
	text   string
}

func newReloader(
	s *config.Settings, reloads *metrics.Reloads, health *metrics.Health, level *promslog.Level, clock collector.Clock, log *slog.Logger,
) *reloader {
	r := &reloader{
		health: health, reloads: reloads, level: level, clock: clock, log: log,
		file: string(s.Config), started: s, tried: s.FileSum, seen: s.FileSum, requests: make(chan chan<- reloaded), ended: make(chan struct{}),
	}
	r.settings.Store(s)
	return r
}

// run reloads on each hangup, on requests over HTTP, and when the file has changed, until ctx ends.
func (r *reloader) run(ctx context.Context, hangup <-chan os.Signal) {
	defer close(r.ended)
	watch := time.NewTicker(watchEvery)
	defer watch.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			r.reload("SIGHUP")
		case reply := <-r.requests:
			reply <- r.reload("POST " + config.ReloadPath)
		case <-watch.C:
			if r.fileChanged() {
				r.reload("the file has changed")
			}
		}
	}
}

// fileChanged reports whether the file is another one than was last read, and as it was when it was
// last seen: an editor may write it in steps.
func (r *reloader) fileChanged() bool {
	now := r.fileSum()
	settled := now == r.seen
	r.seen = now
	return settled && now != r.tried
}

// fileSum returns the sum of the file; zeros without one.
func (r *reloader) fileSum() (sum [sha256.Size]byte) {
	if data, err := os.ReadFile(r.file); err == nil {
		sum = sha256.Sum256(data)
	}
	return sum
}

// request has run reload, and returns how that ended.
func (r *reloader) request(ctx context.Context) (status int, text string) {
	reply := make(chan reloaded, 1)
	select {
	case r.requests <- reply:
		done := <-reply // run is about to answer
		return done.status, done.text
	case <-r.ended:
		return http.StatusServiceUnavailable, "the exporter is about to end\n"
	case <-ctx.Done():
		return http.StatusServiceUnavailable, "" // nobody waits for it
	}
}

// reload reads the configuration and applies it, or leaves all as it is.
func (r *reloader) reload(trigger string) reloaded {
	r.tried = r.fileSum()
	status := http.StatusBadRequest
	s, err := r.parse()
	if err == nil {
		r.tried = s.FileSum
		status, err = http.StatusInternalServerError, r.apply(s, trigger)
	}
	if err != nil {
		const consequence = "the former configuration stays in effect"
		r.reloads.Failed()
		for line := range strings.SplitSeq(err.Error(), "\n") {
			r.log.Error("configuration not reloaded", "trigger", trigger, "err", line, "consequence", consequence)
		}
		return reloaded{status, "configuration not reloaded; " + consequence + ":\n" + err.Error() + "\n"}
	}
	r.reloads.Succeeded(r.clock.Now())
	logDoubtful(s, r.log)
	text := "configuration reloaded\n"
	for _, setting := range r.started.AtRestart(s) {
		r.log.Warn("setting takes effect at a restart", "setting", setting, "consequence", "until then the former value is in effect")
		text += setting + ": takes effect at a restart\n"
	}
	return reloaded{http.StatusOK, text}
}

// apply makes the settings those in effect.
func (r *reloader) apply(s *config.Settings, trigger string) error {
	was := r.settings.Load()
	s.State = r.started.State
	s.KeepAtRestart(r.started)
	add, update, remove := changes(was, s)
	var change collector.Change
	var err error
	if change.Add, err = r.targets(add, s); err != nil {
		return err
	}
	if change.Update, err = r.targets(update, s); err != nil {
		closeAll(change.Add)
		return err
	}
	change.Remove = remove
	if err := r.collector.Apply(change); err != nil {
		closeAll(change.Add)
		closeAll(change.Update)
		return err
	}
	_ = r.level.Set(s.Log.Level) // valid: the flag accepts nothing else
	r.settings.Store(s)
	r.log.Info("configuration reloaded", "trigger", trigger, "targets", len(s.Targets),
		"added", len(add), "updated", len(update), "removed", len(remove))
	return nil
}

// targets returns targets as the collector polls them.
func (r *reloader) targets(targets []config.Target, s *config.Settings) ([]collector.Target, error) {
	var polled []collector.Target
	for _, t := range targets {
		one, err := newTarget(&t, s, r.health, r.clock, r.log)
		if err != nil {
			closeAll(polled)
			return nil, err
		}
		polled = append(polled, one)
	}
	return polled, nil
}

func closeAll(targets []collector.Target) {
	for _, t := range targets {
		t.Close()
	}
}

// changes compares two configurations. What is set for all targets updates each.
func changes(was, s *config.Settings) (add, update []config.Target, remove []string) {
	all := was.Audit != s.Audit || was.Admin != s.Admin || was.Log.Events != s.Log.Events
	named := func(targets []config.Target, name string) int {
		return slices.IndexFunc(targets, func(t config.Target) bool { return t.Name == name })
	}
	for _, t := range s.Targets {
		switch i := named(was.Targets, t.Name); {
		case i < 0:
			add = append(add, t)
		case all || !was.Targets[i].SameSettings(&t):
			update = append(update, t)
		}
	}
	for _, t := range was.Targets {
		if named(s.Targets, t.Name) < 0 {
			remove = append(remove, t.Name)
		}
	}
	return add, update, remove
}

func logDoubtful(s *config.Settings, log *slog.Logger) {
	for _, w := range s.Warnings {
		log.Warn("doubtful setting", "setting", w.Setting, "detail", w.Detail, "consequence", w.Consequence)
	}
}
