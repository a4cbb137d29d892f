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

	"github.com/prometheus/client_golang/prometheus"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
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

// Without settings there is nothing of OTLP; a variable that is ignored is logged.
func TestPusherIsOffByDefault(t *testing.T) {
	cleanOTELEnv(t)
	registry, log := prometheus.NewRegistry(), newLines()
	made := func(f config.OTLP) bool {
		t.Helper()
		f.Metrics, f.Logs = true, true // as they are without flags
		p, err := newPusher(&f, metrics.Build{}, &net.TCPAddr{}, registry, collector.SystemClock{}, slog.New(slog.NewTextHandler(log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if p == nil {
			return false
		}
		p.Close()
		return true
	}
	if made(config.OTLP{}) {
		t.Error("there is a pusher")
	}
	if families, err := registry.Gather(); err != nil || len(families) != 0 {
		t.Errorf("%d families, %v", len(families), err)
	}
	if log.String() != "" {
		t.Errorf("the log says %s", log)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")
	if !made(config.OTLP{Endpoint: "http://127.0.0.1:1"}) {
		t.Error("there is no pusher")
	}
	if !strings.Contains(log.String(), "OTEL_EXPORTER_OTLP_TIMEOUT") {
		t.Errorf("the log says %s", log)
	}
}

// The program has neither series nor goroutines of OTLP, until an endpoint is given.
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
