// Package pages is what the exporter answers over HTTP: metrics, the status for people and for
// programs, the settings in effect, runbooks, probes, profiles and reloads.
package pages

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/statusv1"
	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// StatusSource is what the pages need of the collector.
type StatusSource interface {
	Status() []collector.Status
	Alive() bool
	LastHeartbeat() time.Time
}

// Pages are all pages of one exporter.
type Pages struct {
	Collector     StatusSource
	Metrics       http.Handler
	TelemetryPath string
	Build         metrics.Build
	Now           func() time.Time
	Started       time.Time
	// Settings returns the settings in effect.
	Settings func() *config.Settings
	// Reload reads the configuration again, and returns the status and the text of the answer. Nil:
	// whoever asks for it is refused.
	Reload func(context.Context) (status int, text string)
	// Profiles are served beside the probes.
	Profiles bool
}

// Handler answers on the listeners of --web.listen-address.
func (p *Pages) Handler() http.Handler {
	mux := p.health()
	mux.Handle("GET "+p.TelemetryPath, p.Metrics)
	mux.HandleFunc("GET /{$}", p.status)
	mux.HandleFunc("GET "+config.RunbooksPath+"{name...}", p.runbook)
	mux.Handle("POST "+config.ReloadPath, p.reload())
	mux.HandleFunc("GET "+config.ConfigPath, p.configuration)
	mux.HandleFunc("GET "+config.StatusPath, p.statusJSON)
	return mux
}

// Probes answers on the listener of --web.probe-address, and exposes nothing else, but for the
// profiles if they are asked for: that listener is the operator's, and needs no password.
func (p *Pages) Probes() *http.ServeMux {
	mux := p.health()
	if p.Profiles {
		mux.HandleFunc("GET "+config.PprofPath+"{$}", profileNames)
		mux.HandleFunc("GET "+config.PprofPath+"{name}", profile)
	}
	return mux
}

// health answers probes. Ready means that configuration and state are loaded, and both are before
// there is a listener. It does not depend on ABS, or every exporter of a cluster would be taken out
// of service together with ABS.
func (p *Pages) health() *http.ServeMux {
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
func (p *Pages) configuration(w http.ResponseWriter, _ *http.Request) {
	text, err := p.Settings().YAML()
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
func (p *Pages) statusJSON(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	lines := json.NewEncoder(w)
	lines.SetIndent("", "  ")
	lines.SetEscapeHTML(false)
	status := statusv1.New(p.Build, p.Started, p.Now(), p.Collector.Status(), p.Settings().Effective)
	_ = lines.Encode(status) // the client is gone
}

// reload reads the configuration again. Pages of other sites may not have a browser do it.
func (p *Pages) reload() http.Handler {
	if p.Reload == nil {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			plain(w, http.StatusForbidden, "not enabled: start serve with --web.enable-lifecycle\n")
		})
	}
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, text := p.Reload(r.Context())
		plain(w, status, text)
	}))
}

func (p *Pages) alive(w http.ResponseWriter, _ *http.Request) {
	if p.Collector.Alive() {
		plain(w, http.StatusOK, "alive\n")
		return
	}
	text := "the loop of a target has stopped\n"
	if last := p.Collector.LastHeartbeat(); !last.IsZero() {
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
