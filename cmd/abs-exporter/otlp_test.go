package main

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/metrics"
)

func cleanOTELEnv(t *testing.T) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "") // empty counts as not set
		}
	}
}

// Without settings nothing is made for OTLP; what variables ask for and cannot get is told.
func TestPusherIsOffByDefault(t *testing.T) {
	cleanOTELEnv(t)
	registry, log := prometheus.NewRegistry(), newLines()
	made := func(f otlpFlags) bool {
		t.Helper()
		f.Metrics, f.Logs, f.BatchSize = true, true, 1500 // as they are without flags
		p, err := f.pusher(metrics.Build{}, &net.TCPAddr{}, registry, collector.SystemClock{}, slog.New(slog.NewTextHandler(log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if p == nil {
			return false
		}
		p.Close()
		return true
	}
	if made(otlpFlags{}) {
		t.Error("there is a pusher")
	}
	if families, err := registry.Gather(); err != nil || len(families) != 0 {
		t.Errorf("%d families, %v", len(families), err)
	}
	if log.String() != "" {
		t.Errorf("the log says %s", log)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")
	if !made(otlpFlags{Endpoint: "http://127.0.0.1:1"}) {
		t.Error("there is no pusher")
	}
	if !strings.Contains(log.String(), "OTEL_EXPORTER_OTLP_TIMEOUT") {
		t.Errorf("the log says %s", log)
	}
}

// A flag replaces the general variable, and the variable of a signal precedes both. What is wrong with
// a flag is an error under its name, and with a variable mostly a warning.
func TestOTLPFlagsAndVariables(t *testing.T) {
	cleanOTELEnv(t)
	f := otlpFlags{Metrics: true, Logs: true, BatchSize: 10, Endpoint: "http://flag:1", Timeout: 2 * time.Second, Interval: 30 * time.Second}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://general:1")
	t.Setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://own:1/x")
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")
	c, all := f.config()
	if len(all) > 0 || c.Metrics.Target != "http://flag:1/v1/metrics" || c.Logs.Target != "http://own:1/x" ||
		c.Metrics.Timeout != 2*time.Second || c.Interval != 30*time.Second || c.BatchSize != 10 {
		t.Errorf("%+v, metrics %+v, logs %+v, %v", c, c.Metrics, c.Logs, all)
	}
	f.Logs = false
	if c, _ := f.config(); c.Logs != nil {
		t.Error("logs are pushed although a flag says no")
	}
	for name, change := range map[string]func(*otlpFlags){
		"otlp.endpoint":     func(f *otlpFlags) { f.Endpoint = "collector" },
		"otlp.protocol":     func(f *otlpFlags) { f.Protocol = "http/json" },
		"otlp.compression":  func(f *otlpFlags) { f.Compression = "zstd" },
		"otlp.timeout":      func(f *otlpFlags) { f.Timeout = -time.Second },
		"otlp.interval":     func(f *otlpFlags) { f.Interval = 5 * time.Minute },
		"otlp.batch-size":   func(f *otlpFlags) { f.BatchSize = 0 },
		"otlp.headers-file": func(f *otlpFlags) { f.HeadersFile = "/nowhere" },
		"otlp.ca-file":      func(f *otlpFlags) { f.CAFile = "/nowhere" },
		"otlp.cert-file":    func(f *otlpFlags) { f.CertFile = "/nowhere" },
	} {
		wrong := f
		change(&wrong)
		var p problems
		wrong.check(&p)
		if len(p) != 1 || p[0].name != name {
			t.Errorf("%s: %+v", name, p)
		}
	}
	t.Setenv("OTEL_SDK_DISABLED", "true")
	if c, all := f.config(); c.Enabled() || len(all) != 1 || !all[0].Warning {
		t.Errorf("disabled by a variable: %+v", all)
	}
}

// The whole program has neither series nor goroutines of OTLP, until an endpoint is given.
func TestServeWithAndWithoutOTLP(t *testing.T) {
	cleanEnv(t)
	cleanOTELEnv(t)
	dir := keyFiles(t)
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	for _, endpoint := range []string{"", "http://127.0.0.1:1"} {
		p := start(t, "--abs.url="+server.URL, "--abs.access-key-file="+dir+"/access", "--abs.secret-key-file="+dir+"/secret",
			"--web.listen-address=127.0.0.1:0", "--state.dir=", "--otlp.endpoint="+endpoint)
		page := "http://" + p.stderr.find(t, listening, 1)[0] + "/metrics"
		_, body := fetch(t, page)
		stacks := make([]byte, 4<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		if got, want := strings.Contains(body, "abs_exporter_otlp_"), endpoint != ""; got != want {
			t.Errorf("endpoint %q: series %v", endpoint, got)
		}
		if got, want := strings.Contains(string(stacks), "metrics/otlp."), endpoint != ""; got != want {
			t.Errorf("endpoint %q: goroutines %v", endpoint, got)
		}
		p.end(t)
	}
}
