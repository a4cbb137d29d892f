package main

import (
	"io"
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

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/metrics/otlp"
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
		f.Metrics, f.Logs, f.BatchSize = true, true, 1500 // as they are without flags
		p, err := newPusher(&f, otlp.Options{Registry: registry, Now: time.Now, Log: slog.New(slog.NewTextHandler(log, nil))})
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

// What a cycle commits is pushed at once, long before a push without a commit would be.
func TestServePushesWhatItCommits(t *testing.T) {
	cleanOTELEnv(t)
	_, flags := startABS(t, simulator.Config{})
	pushed := make(chan struct{}, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		if body, _ := io.ReadAll(req.Body); strings.Contains(string(body), "abs_requests_total") {
			pushed <- struct{}{}
		}
	}))
	t.Cleanup(receiver.Close)
	p := start(t, append(flags, "--web.listen-address=127.0.0.1:0", "--state.dir=", "--otlp.endpoint="+receiver.URL)...)
	select {
	case <-pushed:
	case <-time.After(patience):
		t.Errorf("nothing is pushed; the log says %s", p.stderr)
	}
	p.end(t)
}

// No two exporters on a host push as one.
func TestInstance(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		address net.Addr
		want    string
	}{
		{&net.TCPAddr{IP: net.IPv6zero, Port: 10464}, host + ":10464"},
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, host + ":1"},
		{&net.UnixAddr{Name: "/run/abs-exporter.sock", Net: "unix"}, host + ":/run/abs-exporter.sock"},
	} {
		if got := instance(test.address); got != test.want {
			t.Errorf("%s: %s, want %s", test.address, got, test.want)
		}
	}
}
