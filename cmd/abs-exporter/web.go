package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/statusv1"
	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// statusSource is what the pages need of the collector.
type statusSource interface {
	Status() []collector.Status
	Alive() bool
	LastHeartbeat() time.Time
}

// pages are what the exporter answers over HTTP.
type pages struct {
	collector     statusSource
	metrics       http.Handler
	telemetryPath string
	build         metrics.Build
	clock         collector.Clock
	started       time.Time
	reloader      *reloader
	lifecycle     bool // it may be asked to reload
	profiles      bool // they are served beside the probes
}

// handler answers on the listeners of --web.listen-address.
func (p *pages) handler() http.Handler {
	mux := p.health()
	mux.Handle("GET "+p.telemetryPath, p.metrics)
	mux.HandleFunc("GET /{$}", p.status)
	mux.HandleFunc("GET "+config.RunbooksPath+"{name...}", p.runbook)
	mux.Handle("POST "+config.ReloadPath, p.reload())
	mux.HandleFunc("GET "+config.ConfigPath, p.configuration)
	mux.HandleFunc("GET "+config.StatusPath, p.statusJSON)
	return mux
}

// probes answers on the listener of --web.probe-address, and exposes nothing else, but for the
// profiles if they are asked for: that listener is the operator's, and needs no password.
func (p *pages) probes() *http.ServeMux {
	mux := p.health()
	if p.profiles {
		mux.HandleFunc("GET "+config.PprofPath+"{$}", profileNames)
		mux.HandleFunc("GET "+config.PprofPath+"{name}", profile)
	}
	return mux
}

// health answers probes. Ready means that configuration and state are loaded, and both are before
// there is a listener. It does not depend on ABS, or every exporter of a cluster would be taken out
// of service together with ABS.
func (p *pages) health() *http.ServeMux {
	mux := http.NewServeMux()
	for _, path := range []string{config.HealthPath, config.PrometheusHealthPath} {
		mux.HandleFunc("GET "+path, p.alive)
	}
	for _, path := range []string{config.ReadyPath, config.PrometheusReadyPath} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			plain(w, http.StatusOK, "ready\n")
		})
	}
	return mux
}

// configuration answers with the settings in effect.
func (p *pages) configuration(w http.ResponseWriter, _ *http.Request) {
	text, err := p.reloader.settings.Load().YAML()
	if err != nil {
		http.Error(w, "the settings cannot be written: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/yaml; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(text) // the client is gone
}

// statusJSON answers with what the status page shows.
func (p *pages) statusJSON(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	lines := json.NewEncoder(w)
	lines.SetIndent("", "  ")
	lines.SetEscapeHTML(false)
	status := statusv1.New(p.build, p.started, p.clock.Now(), p.collector.Status(), p.reloader.settings.Load().Effective)
	_ = lines.Encode(status) // the client is gone
}

// reload reads the configuration again. Pages of other sites may not have a browser do it.
func (p *pages) reload() http.Handler {
	if !p.lifecycle || p.reloader.parse == nil {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			plain(w, http.StatusForbidden, "not enabled: start serve with --web.enable-lifecycle\n")
		})
	}
	return http.NewCrossOriginProtection().Handler(p.reloader)
}

func (p *pages) alive(w http.ResponseWriter, _ *http.Request) {
	if p.collector.Alive() {
		plain(w, http.StatusOK, "alive\n")
		return
	}
	text := "the loop of a target has stopped\n"
	if last := p.collector.LastHeartbeat(); !last.IsZero() {
		text = fmt.Sprintf("the loop of a target has stopped; its last heartbeat was at %s\n", last.UTC().Format(time.RFC3339))
	}
	plain(w, http.StatusServiceUnavailable, text)
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // the client is gone
}

// listen opens all listeners, so that an address in use is reported at the start.
func (e *exporter) listen(f *config.Web) error {
	addresses := f.ListenAddress
	if f.SystemdSocket {
		addresses = nil
		passed, err := activation.Listeners()
		if err != nil {
			return fmt.Errorf("--web.systemd-socket: the sockets of systemd cannot be used: %w", err)
		}
		for _, l := range passed {
			if l != nil { // one that is no listener of streams
				e.listeners, e.closers = append(e.listeners, l), append(e.closers, l.Close)
			}
		}
		if len(e.listeners) == 0 {
			return errors.New("--web.systemd-socket: systemd passed no listening socket: start abs-exporter by its .socket unit")
		}
	}
	for _, address := range addresses {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return fmt.Errorf("--web.listen-address: cannot serve the metrics: %w", err)
		}
		e.listeners, e.closers = append(e.listeners, l), append(e.closers, l.Close)
	}
	if f.ProbeAddress == "" {
		return nil
	}
	l, err := net.Listen("tcp", f.ProbeAddress)
	if err != nil {
		return fmt.Errorf("--web.probe-address: cannot answer probes: %w", err)
	}
	e.probe, e.closers = l, append(e.closers, l.Close)
	return nil
}

// serveListener serves until ctx ends, then drains the requests in flight for drainTime at most.
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
			log.Warn("requests cut after the drain time", "address", l.Addr().String())
			err = server.Close()
		}
		drained <- err
	})
	noSystemd := false
	err := web.Serve(l, server, &web.FlagConfig{WebConfigFile: &webConfig, WebSystemdSocket: &noSystemd}, log)
	if stop() { // ctx has not ended, so this is not a shutdown
		return fmt.Errorf("serving on %s: %w", l.Addr(), err)
	}
	return <-drained
}
