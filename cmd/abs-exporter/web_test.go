package main

import (
	"net/http"
	"testing"
)

func TestPages(t *testing.T) {
	alive := testPages(fakeSource{status: testStatus()})
	dead := testPages(fakeSource{dead: true, last: testNow})
	moved := testPages(fakeSource{})
	moved.telemetryPath = "/abs/metrics"
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
