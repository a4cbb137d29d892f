package pages

import (
	"context"
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
	moved.TelemetryPath = "/abs/metrics"
	profiled := testPages(fakeSource{})
	profiled.Profiles = true
	reloading := testPages(fakeSource{})
	reloading.Reload = func(context.Context) (int, string) { return http.StatusBadRequest, "not reloaded\n" }
	for _, test := range []struct {
		name         string
		h            http.Handler
		method, path string
		status       int
		body         string // "": any
	}{
		{"metrics", alive.Handler(), "GET", "/metrics", 200, "abs_up 1\n"},
		{"metrics elsewhere", moved.Handler(), "GET", "/abs/metrics", 200, "abs_up 1\n"},
		{"nothing left behind", moved.Handler(), "GET", "/metrics", 404, ""},
		{"alive", alive.Handler(), "GET", "/healthz", 200, "alive\n"},
		{"dead", dead.Handler(), "GET", "/healthz", 503, "the loop of a target has stopped; its last heartbeat was at 2026-11-23T00:07:30Z\n"},
		{"dead before the first heartbeat", testPages(fakeSource{dead: true}).Handler(), "GET", "/healthz", 503, "the loop of a target has stopped\n"},
		{"ready although dead", dead.Handler(), "GET", "/readyz", 200, "ready\n"},
		{"status", alive.Handler(), "GET", "/", 200, ""},
		{"status head", alive.Handler(), "HEAD", "/", 200, ""},
		{"runbooks", alive.Handler(), "GET", "/runbooks/", 200, ""},
		{"runbook", alive.Handler(), "GET", "/runbooks/ABSAttackCritical.md", 200, ""},
		{"no runbook", alive.Handler(), "GET", "/runbooks/ABSNothing.md", 404, ""},
		{"nothing beside the runbooks", alive.Handler(), "GET", "/runbooks/embed.go", 404, ""},
		{"probe has no runbooks", alive.Probes(), "GET", "/runbooks/", 404, ""},
		{"nothing", alive.Handler(), "GET", "/index.html", 404, ""},
		{"no pprof", alive.Handler(), "GET", "/debug/pprof/", 404, ""},
		{"no reload", alive.Handler(), "POST", "/-/reload", 403, "not enabled: start serve with --web.enable-lifecycle\n"},
		{"reload", reloading.Handler(), "POST", "/-/reload", 400, "not reloaded\n"},
		{"reload by a link", reloading.Handler(), "GET", "/-/reload", 405, ""},
		{"probe does not reload", reloading.Probes(), "POST", "/-/reload", 404, ""},
		{"no post", alive.Handler(), "POST", "/metrics", 405, ""},
		{"no delete", alive.Handler(), "DELETE", "/", 405, ""},
		{"probe alive", alive.Probes(), "GET", "/healthz", 200, "alive\n"},
		{"probe ready", alive.Probes(), "GET", "/readyz", 200, "ready\n"},
		{"healthy as Prometheus has it", alive.Handler(), "GET", "/-/healthy", 200, "alive\n"},
		{"dead as Prometheus has it", dead.Probes(), "GET", "/-/healthy", 503, ""},
		{"ready as Prometheus has it", alive.Probes(), "GET", "/-/ready", 200, "ready\n"},
		{"configuration", alive.Handler(), "GET", "/config", 200, "collect:\n    interval: 2m # default\n"},
		{"probe has no configuration", alive.Probes(), "GET", "/config", 404, ""},
		{"probe has no JSON", alive.Probes(), "GET", "/api/v1/status", 404, ""},
		{"probe has no profiles", alive.Probes(), "GET", "/debug/pprof/heap", 404, ""},
		{"profiles", profiled.Probes(), "GET", "/debug/pprof/heap", 200, ""},
		{"names of profiles", profiled.Probes(), "GET", "/debug/pprof/", 200, "allocs\nblock\ngoroutine\nheap\nmutex\nprofile\nthreadcreate\n"},
		{"no such profile", profiled.Probes(), "GET", "/debug/pprof/nothing", 404, "there is no such profile\n"},
		{"profiles without arguments", profiled.Probes(), "GET", "/debug/pprof/cmdline", 404, ""},
		{"profiles on the probe listener only", profiled.Handler(), "GET", "/debug/pprof/heap", 404, ""},
		{"probe has no metrics", alive.Probes(), "GET", "/metrics", 404, ""},
		{"probe has no status", alive.Probes(), "GET", "/", 404, ""},
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
	text, err := os.ReadFile("../../../docs/http.md")
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
