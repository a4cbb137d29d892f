package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

// The project's own example, with its receivers replaced, is a valid configuration of Alertmanager.
func TestOnTerminal(t *testing.T) {
	dir := t.TempDir()
	s := &settings{rules: filepath.Join(tools.Root(t), "alerts"), web: "127.0.0.1:1", alert: "127.0.0.1:2"}
	prom, alert := filepath.Join(dir, "prometheus.yml"), filepath.Join(dir, "alertmanager.yml")
	if err := writeConfigs(s, prom, alert, "http://127.0.0.1:3"); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"amtool", "check-config", alert}, {"promtool", "check", "config", prom}} {
		if out, err := exec.Command(tools.Path(t, args[0]), args[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", args[0], err, out)
		}
	}
	text, err := os.ReadFile(alert)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"http://127.0.0.1:3/abs-page", "inhibit_rules", "group_by"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not in it:\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "/etc/") {
		t.Errorf("secrets are still looked for:\n%s", text)
	}
	if _, err := onTerminal([]byte("route: {}\n"), ""); err == nil {
		t.Error("an example without receivers is accepted")
	}
}

func TestReceiver(t *testing.T) {
	var out bytes.Buffer
	r := &receiver{out: &out}
	post := func(body string) int {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/abs-page", strings.NewReader(body)))
		return w.Code
	}
	if got := post(`{"alerts": [
		{"status": "firing", "labels": {"severity": "critical"}, "startsAt": "2026-11-23T09:00:00Z",
		 "annotations": {"summary": "It burns", "description": "There.", "runbook_url": "https://r", "dashboard_url": "https://d"}},
		{"status": "resolved", "labels": {"severity": "warning"}, "startsAt": "2026-11-23T08:00:00Z", "endsAt": "2026-11-23T08:30:00Z",
		 "annotations": {"summary": "It is out"}}]}`); got != http.StatusOK {
		t.Errorf("status %d", got)
	}
	_, text, _ := strings.Cut(out.String(), ": ")
	if want := `abs-page
[CRITICAL] It burns
  There.
  since      2026-11-23T09:00:00Z
  runbook    https://r
  dashboard  https://d
[RESOLVED] It is out
  
  since      2026-11-23T08:30:00Z

`; text != want {
		t.Errorf("prints\n%s\nwant\n%s", text, want)
	}
	if got := post("{"); got != http.StatusBadRequest {
		t.Errorf("status %d", got)
	}
}
