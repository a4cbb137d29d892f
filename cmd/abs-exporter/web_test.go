package main

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
)

func TestPages(t *testing.T) {
	alive := testPages(fakeSource{status: testStatus()})
	dead := testPages(fakeSource{dead: true, last: testNow})
	moved := testPages(fakeSource{})
	moved.telemetryPath = "/abs/metrics"
	profiled := testPages(fakeSource{})
	profiled.profiles = true
	for _, test := range []struct {
		name         string
		h            http.Handler
		method, path string
		status       int
		body         string // "": any
	}{
		{"metrics", alive.handler(), "GET", "/metrics", 200, "abs_up 1\n"},
		{"metrics elsewhere", moved.handler(), "GET", "/abs/metrics", 200, "abs_up 1\n"},
		{"nothing left behind", moved.handler(), "GET", "/metrics", 404, ""},
		{"alive", alive.handler(), "GET", "/healthz", 200, "alive\n"},
		{"dead", dead.handler(), "GET", "/healthz", 503, "the loop of a target has stopped; its last heartbeat was at 2026-11-23T00:07:30Z\n"},
		{"dead before the first heartbeat", testPages(fakeSource{dead: true}).handler(), "GET", "/healthz", 503, "the loop of a target has stopped\n"},
		{"ready although dead", dead.handler(), "GET", "/readyz", 200, "ready\n"},
		{"status", alive.handler(), "GET", "/", 200, ""},
		{"status head", alive.handler(), "HEAD", "/", 200, ""},
		{"runbooks", alive.handler(), "GET", "/runbooks/", 200, ""},
		{"runbook", alive.handler(), "GET", "/runbooks/ABSAttackCritical.md", 200, ""},
		{"no runbook", alive.handler(), "GET", "/runbooks/ABSNothing.md", 404, ""},
		{"nothing beside the runbooks", alive.handler(), "GET", "/runbooks/embed.go", 404, ""},
		{"probe has no runbooks", alive.probes(), "GET", "/runbooks/", 404, ""},
		{"nothing", alive.handler(), "GET", "/index.html", 404, ""},
		{"no pprof", alive.handler(), "GET", "/debug/pprof/", 404, ""},
		{"no post", alive.handler(), "POST", "/metrics", 405, ""},
		{"no delete", alive.handler(), "DELETE", "/", 405, ""},
		{"probe alive", alive.probes(), "GET", "/healthz", 200, "alive\n"},
		{"probe ready", alive.probes(), "GET", "/readyz", 200, "ready\n"},
		{"healthy as Prometheus has it", alive.handler(), "GET", "/-/healthy", 200, "alive\n"},
		{"dead as Prometheus has it", dead.probes(), "GET", "/-/healthy", 503, ""},
		{"ready as Prometheus has it", alive.probes(), "GET", "/-/ready", 200, "ready\n"},
		{"configuration", alive.handler(), "GET", "/config", 200, "collect:\n    interval: 2m # default\n"},
		{"probe has no configuration", alive.probes(), "GET", "/config", 404, ""},
		{"probe has no JSON", alive.probes(), "GET", "/api/v1/status", 404, ""},
		{"probe has no profiles", alive.probes(), "GET", "/debug/pprof/heap", 404, ""},
		{"profiles", profiled.probes(), "GET", "/debug/pprof/heap", 200, ""},
		{"names of profiles", profiled.probes(), "GET", "/debug/pprof/", 200, "allocs\nblock\ngoroutine\nheap\nmutex\nprofile\nthreadcreate\n"},
		{"no such profile", profiled.probes(), "GET", "/debug/pprof/nothing", 404, "there is no such profile\n"},
		{"profiles without arguments", profiled.probes(), "GET", "/debug/pprof/cmdline", 404, ""},
		{"profiles on the probe listener only", profiled.handler(), "GET", "/debug/pprof/heap", 404, ""},
		{"probe has no metrics", alive.probes(), "GET", "/metrics", 404, ""},
		{"probe has no status", alive.probes(), "GET", "/", 404, ""},
	} {
		w := request(test.h, test.method, test.path)
		if w.Code != test.status {
			t.Errorf("%s: status %d, want %d", test.name, w.Code, test.status)
		}
		if test.body != "" && w.Body.String() != test.body {
			t.Errorf("%s: %q, want %q", test.name, w.Body, test.body)
		}
	}
}

// docs/http.md has a row for each path.
func TestPagesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"/", "/metrics", config.HealthPath, config.PrometheusHealthPath, config.ReadyPath, config.PrometheusReadyPath, "POST " + config.ReloadPath,
		config.RunbooksPath, config.ConfigPath, config.StatusPath, config.PprofPath,
	} {
		if !strings.Contains(string(text), "`"+path+"`") {
			t.Errorf("docs/http.md lacks %s", path)
		}
	}
}
