package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/exporter-toolkit/web"

	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/metrics"
)

const (
	healthPath = "/healthz"
	readyPath  = "/readyz"
)

// statusSource is what the pages need of the collector.
type statusSource interface {
	Status() []collector.Status
	Alive() bool
	LastTurn() time.Time
}

// pages are what the exporter answers over HTTP.
type pages struct {
	collector     statusSource
	metrics       http.Handler
	telemetryPath string
	build         metrics.Build
	clock         collector.Clock
	started       time.Time
	refresh       time.Duration
}

// handler answers on the listeners of --web.listen-address.
func (p *pages) handler() http.Handler {
	mux := http.NewServeMux()
	p.probesOn(mux)
	mux.Handle(p.telemetryPath, get(p.metrics))
	mux.Handle("/{$}", get(http.HandlerFunc(p.status)))
	return mux
}

// probes answers on the listener of --web.probe-address, and tells nothing but life.
func (p *pages) probes() http.Handler {
	mux := http.NewServeMux()
	p.probesOn(mux)
	return mux
}

func (p *pages) probesOn(mux *http.ServeMux) {
	mux.Handle(healthPath, get(http.HandlerFunc(p.healthz)))
	// Ready means that configuration and state are loaded, and both were before there
	// were pages. What ABS answers has no part in it, or every exporter of a cluster
	// would be taken out of service together with ABS.
	mux.Handle(readyPath, get(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		plain(w, http.StatusOK, "ready\n")
	})))
}

func (p *pages) healthz(w http.ResponseWriter, _ *http.Request) {
	if p.collector.Alive() {
		plain(w, http.StatusOK, "alive\n")
		return
	}
	text := "the loop of a target has stopped turning\n"
	if last := p.collector.LastTurn(); !last.IsZero() {
		text = fmt.Sprintf("the loop of a target has stopped turning; the last turn of any was at %s\n", last.UTC().Format(time.RFC3339))
	}
	plain(w, http.StatusServiceUnavailable, text)
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // who asked is gone: nobody to tell
}

// get refuses every method that asks for more than reading.
func get(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET is answered here", http.StatusMethodNotAllowed)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// listen opens all listeners, so that an address that is taken is told at the start.
func (e *exporter) listen(f *webFlags) error {
	for _, address := range f.ListenAddress {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return fmt.Errorf("--web.listen-address: cannot serve the metrics: %w", err)
		}
		e.listeners = append(e.listeners, l)
	}
	if f.ProbeAddress == "" {
		return nil
	}
	l, err := net.Listen("tcp", f.ProbeAddress)
	if err != nil {
		return fmt.Errorf("--web.probe-address: cannot answer probes: %w", err)
	}
	e.probe = l
	return nil
}

// serveListener serves until ctx ends, then lets requests under way finish.
// webConfig is the file of --web.config.file, or empty.
func serveListener(ctx context.Context, l net.Listener, h http.Handler, webConfig string, log *slog.Logger) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      2 * time.Minute, // a large exposition over a slow line
		IdleTimeout:       5 * time.Minute, // longer than the usual scrape interval
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	drained := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		err := server.Shutdown(limit)
		if errors.Is(err, context.DeadlineExceeded) {
			log.Warn("requests were still under way and are cut", "address", l.Addr().String())
			err = server.Close()
		}
		drained <- err
	})
	noSystemd := false
	err := web.Serve(l, server, &web.FlagConfig{WebConfigFile: &webConfig, WebSystemdSocket: &noSystemd}, log)
	if stop() { // ctx has not ended, so this is no shutdown
		return fmt.Errorf("serving on %s: %w", l.Addr(), err)
	}
	return <-drained
}
