package pages

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/collector/absstate"
	"github.com/abs-exporter/abs-exporter/collector/calls"
	"github.com/abs-exporter/abs-exporter/collector/failures"
	"github.com/abs-exporter/abs-exporter/collector/findings"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/metrics"
)

var update = flag.Bool("update", false, "write the golden files anew")

// fakeSource is a collector with a given status.
type fakeSource struct {
	status []collector.Status
	dead   bool
	last   time.Time
}

func (f fakeSource) Status() []collector.Status { return f.status }
func (f fakeSource) Alive() bool                { return !f.dead }
func (f fakeSource) LastHeartbeat() time.Time   { return f.last }

var testNow = time.Date(2026, 11, 23, 0, 7, 30, 0, time.UTC)

func testPages(source fakeSource) *Pages {
	s := &config.Settings{
		Targets:   []config.Target{{Collect: config.Collect{Interval: 2 * time.Minute}}},
		Effective: []config.Effective{{Name: "collect.interval", Value: "2m", Origin: "default"}, {Name: "ABS_EXPORTER_ABS_ACCESS_KEY", Value: "(hidden)", Origin: "the environment"}},
	}
	return &Pages{
		Collector:     source,
		Metrics:       http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "abs_up 1\n") }),
		TelemetryPath: "/metrics",
		Build:         metrics.Build{Version: "1.2.3", Revision: "0123abc", GoVersion: "go1.26"},
		Now:           func() time.Time { return testNow },
		Started:       testNow.Add(-26 * time.Hour),
		Settings:      func() *config.Settings { return s },
	}
}

// testStatus has a target in each state and a slot in each.
func testStatus() []collector.Status {
	at := func(d time.Duration) time.Time { return testNow.Add(d) }
	slot := func(i int, state ledger.SlotState, requests int64) collector.SlotStatus {
		from := testNow.Truncate(30 * time.Minute).Add(time.Duration(i) * 30 * time.Minute)
		return collector.SlotStatus{From: from, To: from.Add(30 * time.Minute), State: state, Requests: requests, LastRead: at(-20 * time.Second)}
	}
	var slots []collector.SlotStatus
	for i := -48; i < -8; i++ {
		slots = append(slots, slot(i, "settled", int64(-i)*1000))
	}
	slots[3].State, slots[3].Requests, slots[3].LastRead = "missed", 0, time.Time{}
	slots[4].State, slots[4].Requests, slots[4].LastRead = "pending", 0, time.Time{}
	for i := -8; i <= 0; i++ {
		slots = append(slots, slot(i, "open", int64(100+i)))
	}
	unknownWindow := collector.WindowStatus{WindowTokens: -1, WindowRequests: -1, FlaggedTokens: -1}
	return []collector.Status{
		{
			Target: "production", Host: "abs.example.com:8080", Location: time.FixedZone("Asia/Kolkata", 19800),
			CycleStatus: collector.CycleStatus{Up: true, LastCycle: at(-30 * time.Second), LastCycleDuration: 1530 * time.Millisecond, NextCycle: at(90 * time.Second)},
			Requests:    1234567, TrackedTokens: 1000, Slots: slots, WindowStatus: collector.WindowStatus{WindowTokens: 98765, WindowRequests: 456789, FlaggedTokens: 3},
			Forensics: findings.Status{Enabled: true, Due: 8762, Covered: 90000, Skipped: 2, Failed: 1, Oldest: at(-2*time.Hour - 10*time.Minute)},
			Admin: absstate.Status{
				Known: true, APIs: 12, Predicting: 9, TrackingTokens: 10, NotTracking: []string{"shop", "<cards>"}, LicenseExpiry: at(50 * 24 * time.Hour),
			},
			StateSaved: at(-29 * time.Second),
			Flagged: []findings.FlaggedToken{
				{ID: 0x0123456789abcdef, Types: []string{"Data Exfiltration", "Stolen Token"}, Since: at(-3 * time.Hour)},
				{ID: 1, Types: []string{"<script>"}, Since: at(-time.Minute)},
			},
			Calls: []calls.Call{
				{Ended: at(-20 * time.Second), Report: "forensics", Status: 200, Bytes: 1234, Duration: 15 * time.Millisecond},
				{Ended: at(-28 * time.Second), Report: "oauthtokens", Status: 200, Bytes: 1234567, Duration: 1200 * time.Millisecond},
				{Ended: at(-5 * time.Hour), Report: "oauthtokens", Duration: time.Minute, Reason: "timeout", Error: "no response within 60s"},
			},
		},
		{
			Target: "test", Host: "10.0.0.7", Location: time.UTC, Inclusive: true,
			CycleStatus: collector.CycleStatus{Running: at(-24 * time.Second), LastCycle: at(-3 * time.Hour), LastCycleDuration: 60 * time.Second, NextCycle: at(time.Second)},
			Requests:    0, WindowStatus: unknownWindow, Slots: slots[40:42],
			Admin: absstate.Status{Known: true, APIs: 1, Predicting: 1, TrackingTokens: 1, LicenseExpiry: at(-time.Hour), LicenseExpired: true},
			Errors: []failures.Row{
				{At: at(-10 * time.Second), Since: at(-time.Hour), Times: 1234, What: "oauthtokens: ABS responded with status 503; the counters stand still until it recovers"},
				{At: at(-48 * time.Hour), Since: at(-48 * time.Hour), Times: 1, What: "oauthtokens: no response within 60s"},
			},
		},
		{Target: "new", Host: "abs.example.org", Location: time.UTC, CycleStatus: collector.CycleStatus{Running: at(-time.Second)}, WindowStatus: unknownWindow, Forensics: findings.Status{Enabled: true}},
	}
}

func request(h http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func TestStatusPage(t *testing.T) {
	w := request(testPages(fakeSource{status: testStatus()}).Handler(), http.MethodGet, "/")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("status %d, %s", w.Code, w.Header())
	}
	// Without the style sheet, which is a file of its own.
	isGolden(t, "testdata/golden/status.html", strings.Replace(w.Body.String(), statusCSS, "/* status.css */", 1))
}

// The members of /api/v1/status keep their names.
func TestStatusJSON(t *testing.T) {
	w := request(testPages(fakeSource{status: testStatus()}).Handler(), http.MethodGet, "/api/v1/status")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("status %d, %s", w.Code, w.Header())
	}
	isGolden(t, "testdata/golden/status.json", w.Body.String())
}

func isGolden(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(golden); err != nil || got != string(want) {
		t.Errorf("%s is not current (%v); write it anew with: go test ./cmd/abs-exporter/pages -run Status -update\ngot:\n%s", golden, err, got)
	}
}

func TestStatusPageWithoutTargets(t *testing.T) {
	w := request(testPages(fakeSource{}).Handler(), http.MethodGet, "/")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "There are no targets.") {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
}

// Names and messages come from outside and must be escaped.
func TestStatusPageEscapes(t *testing.T) {
	const nasty = `"><script>alert(1)</script><img src=x onerror='a'>&amp;`
	p := testPages(fakeSource{status: []collector.Status{{
		Target: nasty,
		Slots:  []collector.SlotStatus{{From: testNow, To: testNow, State: nasty}},
		Errors: []failures.Row{{At: testNow, What: nasty + "\x00\u202e"}},
	}}})
	p.Build = metrics.Build{Version: nasty, Revision: nasty, GoVersion: nasty}
	p.TelemetryPath = "/javascript:alert(1)"
	body := request(p.Handler(), http.MethodGet, "/").Body.String()
	for _, bad := range []string{"<script", "<img", "onerror='", `href="javascript:`} {
		if strings.Contains(body, bad) {
			t.Errorf("the page has %s in it:\n%s", bad, body)
		}
	}
	if n := strings.Count(body, "&lt;script&gt;"); n < 5 {
		t.Errorf("the text was shown %d times, want it everywhere:\n%s", n, body)
	}
}

func TestNumbersAndDurations(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1: "-1", -1000: "-1,000", -123456: "-123,456"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) is %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0 ms", 999 * time.Millisecond: "999 ms", 1530 * time.Millisecond: "1.5 s", 59 * time.Second: "59 s",
		119 * time.Second: "119 s", 2 * time.Minute: "2 min", 130 * time.Minute: "2 h 10 min", 50 * time.Hour: "2 d 2 h",
	} {
		if got := roundedDuration(d); got != want {
			t.Errorf("roundedDuration(%v) is %s, want %s", d, got, want)
		}
	}
}
