package collector

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/metrics"
)

func adminDefaults() Options {
	o := defaults()
	o.AdminInterval = 5 * time.Minute
	return o
}

// onlyAdmin answers with one admin report at one path, and with an empty report to all else.
type onlyAdmin struct {
	path string
	body []byte
}

// RoundTrip implements http.RoundTripper.
func (a *onlyAdmin) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := http.StatusOK, `{"name": "oauth_token_metrics", "summary": {"tokens": 0, "total_requests": 0}, "details": []}`
	switch {
	case r.URL.Path == a.path:
		body = string(a.body)
	case strings.HasSuffix(r.URL.Path, "/admin"):
		status, body = http.StatusNotFound, ""
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

// ownState returns what a scrape has of ABS's own state.
func (r *rig) ownState(t testing.TB) []string {
	t.Helper()
	return slices.DeleteFunc(r.scrape(t), func(line string) bool {
		name := line[:strings.IndexAny(line, "{ ")]
		return !slices.ContainsFunc(metrics.Table(), func(f *metrics.Family) bool {
			return f.Group == metrics.GroupState && f.Name == name
		})
	})
}

// TestPublishedAdminReports is what becomes of the two published samples, at the paths that they
// are from.
func TestPublishedAdminReports(t *testing.T) {
	for name, path := range map[string]string{"admin-4.4": "/v4/abs/admin", "admin-5.2": "/v5/abs/admin"} {
		body, err := os.ReadFile("../abs/reports/testdata/" + name + ".sample")
		if err != nil {
			t.Fatal(err)
		}
		r, err := newRig(adminDefaults(), time.UTC, abs.Exclusive, 0, &handClock{}, &onlyAdmin{path, body})
		if err != nil {
			t.Fatal(err)
		}
		r.cycle(storyBegin)
		want, err := os.ReadFile("testdata/" + name + ".prom")
		if got := strings.Join(r.ownState(t), "\n") + "\n"; err != nil || got != string(want) {
			t.Errorf("%s: %v\ngot\n%swant\n%s", name, err, got, want)
		}
		checkSnapshot(t, r.last, "t")
		if !slices.Contains(r.scrape(t), `abs_exporter_report_failures_total{reason="status",report="admin",target="t"} 0`) {
			t.Errorf("%s: looking for the path counts as a failure", name)
		}
	}
}

// Names are cut between two characters, and no series is there twice.
func TestAdminCutsNames(t *testing.T) {
	name := strings.Repeat("a", 127)
	item := func(s string) string {
		return strings.ReplaceAll(s, "NAME", name+"é") + "," + strings.ReplaceAll(s, "NAME", name+"éb")
	}
	body := `{"name":"api_admin","license_info":{"tier":"` + name + `é"},"timeZone":"` + name + `é","apis":[` +
		item(`{"api_name":"NAME","api_type":"NAME","prediction_mode":true}`) + `],"abs_nodes":[` +
		item(`{"ip":"NAME","os":"NAME","cpu":"2"}`) + `],"mongodb_nodes":[` + item(`{"ip":"NAME","status":"up"}`) + `]}`
	r, err := newRig(adminDefaults(), time.UTC, abs.Exclusive, 0, &handClock{}, &onlyAdmin{"/v5/abs/admin", []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	r.cycle(storyBegin)
	want := []string{
		`abs_license_info{target="t",tier="` + name + `"} 1`,
		`abs_api_prediction_mode{target="t",api="` + name + `"} 1`,
		`abs_api_info{target="t",api="` + name + `",api_type="` + name + `",tracks_tokens=""} 1`,
		`abs_node_info{target="t",node="` + name + `",os="` + name + `"} 1`,
		`abs_node_cpus{target="t",node="` + name + `"} 2`,
		`abs_mongodb_node_up{target="t",node="` + name + `"} 1`,
	}
	if got := r.ownState(t); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	checkSnapshot(t, r.last, "t")
}

// ABS's state changes, and what is exposed with it: within --admin.interval and a cycle.
func TestAdminFollowsABS(t *testing.T) {
	for _, version44 := range []bool{false, true} {
		s := newStory(t, simulator.Config{
			Seed: 3, APIs: []string{"shop", "cards"}, Version44: version44, Transactions: 900_000_001,
			Training: map[string]time.Time{"cards": storyBegin.Add(time.Hour)},
		}, adminDefaults(), abs.Exclusive)
		at := func(hours int) time.Time { return storyBegin.Add(time.Duration(hours) * time.Hour) }
		if err := s.sim.SetFaults(
			simulator.Fault{Kind: simulator.FaultLicense, From: at(2), To: at(4)},
			simulator.Fault{Kind: simulator.FaultTraining, API: "shop", From: at(2), To: at(4)},
			simulator.Fault{Kind: simulator.FaultUntracked, API: "shop", From: at(2), To: at(4)},
			simulator.Fault{Kind: simulator.FaultDisk, Share: 0.9, Delay: time.Hour, From: at(2), To: at(4)},
			simulator.Fault{Kind: simulator.FaultMongoDB, From: at(2), To: at(4)},
			simulator.Fault{Kind: simulator.FaultNodeGone, From: at(6)},
		); err != nil {
			t.Fatal(err)
		}
		healthy := []string{
			`abs_license_expired{target="t"} 0`,
			`abs_license_transactions{target="t"} 900000001`, `abs_license_max_transactions{target="t"} 1000000000`,
			`abs_api_prediction_mode{target="t",api="shop"} 1`,
			`abs_api_info{target="t",api="shop",api_type="regular",tracks_tokens="true"} 1`,
			`abs_node_filesystem_used_ratio{target="t",node="127.0.0.2"} 0.28`,
			`abs_mongodb_node_up{target="t",node="127.0.0.4"} 1`,
		}
		s.until(50 * time.Minute)
		s.shows(append(healthy, `abs_api_prediction_mode{target="t",api="cards"} 0`,
			`abs_license_expiry_timestamp_seconds{target="t"} 1795431600`)...) // when it will run out
		if a := s.status.Load().Admin; !a.Known || a.APIs != 2 || a.Predicting != 1 || a.TrackingTokens != 2 {
			t.Errorf("the status page has %+v", a)
		}
		s.until(70 * time.Minute)
		s.shows(append(healthy, `abs_api_prediction_mode{target="t",api="cards"} 1`)...)
		s.until(2*time.Hour + 40*time.Minute)
		s.shows(`abs_license_expired{target="t"} 1`, `abs_api_prediction_mode{target="t",api="shop"} 0`,
			`abs_api_info{target="t",api="shop",api_type="regular",tracks_tokens="false"} 1`,
			`abs_mongodb_node_up{target="t",node="127.0.0.4"} 0`,
			`abs_mongodb_node_up{target="t",node="127.0.0.3"} 1`)
		if a := s.status.Load().Admin; a.Predicting != 1 || a.TrackingTokens != 1 || !slices.Equal(a.NotTracking, []string{"shop"}) || !a.LicenseExpired {
			t.Errorf("the status page has %+v", a)
		}
		s.until(3*time.Hour + 10*time.Minute)
		s.shows(`abs_node_filesystem_used_ratio{target="t",node="127.0.0.2"} 0.9`)
		s.until(5 * time.Hour)
		s.shows(append(healthy, `abs_license_expiry_timestamp_seconds{target="t"} 2051222400`)...)
		s.until(7 * time.Hour)
		s.shows(`abs_node_info{target="t",node="127.0.0.1",os="Linux"} 1`)
		if lines := strings.Join(s.ownState(t), "\n"); strings.Contains(lines, "127.0.0.2") || strings.Contains(lines, "timezone") == version44 {
			t.Errorf("a node that is gone, or no zone:\n%s", lines)
		}
	}
}

// adminFailure is what becomes of the admin report for six hours, and what it leaves.
type adminFailure struct {
	fault   simulator.Fault
	as      []func(*abs.Config, *Target)
	reason  string
	calls   [2]int64 // at least, and at most, in six hours
	message string
}

// Whatever becomes of the admin report, it is one line in the log and another at the end, and
// nothing else is harmed.
func TestAdminFailsAlone(t *testing.T) {
	long(t)
	const huge = `{"name":"api_admin","x":"`
	without := map[bool]unharmed{} // by whether the user is restricted
	for _, as := range [][]func(*abs.Config, *Target){nil, {restricted}} {
		synctest.Test(t, func(t *testing.T) {
			without[as != nil] = (&adminFailure{as: as}).story(t, defaults()).unharmed()
		})
	}
	for name, c := range map[string]adminFailure{
		"restricted, refused": {simulator.Fault{Kind: simulator.FaultStatus, Code: 403}, []func(*abs.Config, *Target){restricted}, "auth", [2]int64{3, 4}, "level=INFO msg=\"admin report refused\""},
		"admin, refused":      {simulator.Fault{Kind: simulator.FaultStatus, Code: 401}, nil, "auth", [2]int64{3, 4}, "level=WARN msg=\"admin report refused\""},
		"404 at both":         {simulator.Fault{Kind: simulator.FaultStatus, Code: 404}, nil, "status", [2]int64{6, 8}, "level=WARN msg=\"admin report not found\""},
		"HTML":                {simulator.Fault{Kind: simulator.FaultHTML}, nil, "decode", [2]int64{70, 73}, "level=WARN msg=\"admin report not read\""},
		"30 MB":               {simulator.Fault{Kind: simulator.FaultBody, Body: huge + strings.Repeat("x", 30_000_000)}, nil, "size", [2]int64{70, 73}, "level=WARN msg=\"admin report not read\""},
		"another report":      {simulator.Fault{Kind: simulator.FaultWrongReport}, nil, "decode", [2]int64{70, 73}, "level=WARN msg=\"admin report not read\""},
		"cut":                 {simulator.Fault{Kind: simulator.FaultCut, Share: 0.3}, nil, "decode", [2]int64{70, 73}, "level=WARN msg=\"admin report not read\""},
		"no answer":           {simulator.Fault{Kind: simulator.FaultHang}, nil, "timeout", [2]int64{70, 73}, "level=WARN msg=\"admin report not read\""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.run(t, without[c.as != nil]) })
		})
	}
}

// unharmed is what is the same without the admin report.
type unharmed struct{ requests, forensicsCalls int64 }

func (s *story) unharmed() unharmed {
	return unharmed{s.books.sum(metrics.Requests), s.sim.Stats().Calls["forensics"]}
}

func (c *adminFailure) run(t *testing.T, without unharmed) {
	c.fault.Report = "admin"
	began := time.Now()
	s := c.story(t, adminDefaults(), c.fault)
	took := time.Since(began) // only requests take time here
	s.shows(`abs_up{target="t"} 1`)
	if got := s.unharmed(); got != without || got.requests == 0 {
		t.Errorf("counted and called are %+v, without the admin report %+v", got, without)
	}
	if lines := s.ownState(t); len(lines) != 0 { // for longer than a window
		t.Errorf("unknown for six hours, and exposed:\n%s", strings.Join(lines, "\n"))
	}
	if calls := s.sim.Stats().Calls["admin"] - 13; calls < c.calls[0] || calls > c.calls[1] { // 13 in the first hour
		t.Errorf("%d calls", calls)
	} else if took > time.Duration(calls)*adminTimeout+time.Second {
		t.Errorf("everything else waited %v for %d calls", took, calls)
	}
	if failures := s.value(t, `abs_exporter_report_failures_total{reason="`+c.reason+`",report="admin",target="t"}`); failures == "0" || failures == "" {
		t.Errorf("failures counted: %q", failures)
	}
	log := s.log.String()
	warnings := strings.Count(log, "level=WARN") + strings.Count(log, "level=ERROR")
	if strings.Count(log, c.message) != 1 || warnings != strings.Count(c.message, "WARN") {
		t.Errorf("the log is:\n%s", log)
	}
	if err := s.sim.SetFaults(); err != nil {
		t.Fatal(err)
	}
	s.until(11 * time.Hour)
	s.shows(`abs_api_prediction_mode{target="t",api="shop"} 1`)
	if n := strings.Count(s.log.String(), `msg="report recovered" target=t report=admin`); n != 1 {
		t.Errorf("the end is logged %d times:\n%s", n, s.log)
	}
}

// story runs an hour without faults, and six with them.
func (c *adminFailure) story(t *testing.T, o Options, faults ...simulator.Fault) *story {
	s := newStory(t, simulator.Config{Seed: 5, Tokens: 20, APIs: []string{"shop"}}, o, abs.Exclusive, c.as...)
	s.until(time.Hour)
	if err := s.sim.SetFaults(faults...); err != nil {
		t.Fatal(err)
	}
	s.until(66 * time.Minute) // the first failure
	s.shows(`abs_up{target="t"} 1`)
	s.until(7 * time.Hour)
	return s
}

// A report that is refused or not found once, as while ABS restarts, is requested again after
// --admin.interval. Only from the second time on, or if it was never read, is it left out.
func TestAdminRefusedOnce(t *testing.T) {
	for _, code := range []int{http.StatusUnauthorized, http.StatusNotFound} {
		s := newStory(t, simulator.Config{APIs: []string{"shop"}}, adminDefaults(), abs.Exclusive)
		at := func(minutes int) time.Time { return storyBegin.Add(time.Duration(minutes) * time.Minute) }
		fault := func(from, to int) simulator.Fault {
			return simulator.Fault{Report: "admin", Kind: simulator.FaultStatus, Code: code, From: at(from), To: at(to)}
		}
		if err := s.sim.SetFaults(fault(58, 62), fault(88, 97)); err != nil {
			t.Fatal(err)
		}
		read := func() string {
			return s.value(t, `abs_exporter_report_last_success_timestamp_seconds{report="admin",target="t"}`)
		}
		s.until(59 * time.Minute)
		before := read()
		s.until(67 * time.Minute)
		after := read()
		if before == after {
			t.Errorf("%d once: the report was not read again within --admin.interval", code)
		}
		s.until(86 * time.Minute)
		before = read()
		s.until(4 * time.Hour)
		if before != read() {
			t.Errorf("%d twice: the report was not left out", code)
		}
		s.until(5 * time.Hour)
		if before == read() {
			t.Errorf("%d twice: the report is left out for longer than a window", code)
		}
	}
}

func TestAdminNeverRead(t *testing.T) {
	s := newStory(t, simulator.Config{}, adminDefaults(), abs.Exclusive, restricted)
	if err := s.sim.SetFaults(simulator.Fault{Report: "admin", Kind: simulator.FaultStatus, Code: http.StatusForbidden}); err != nil {
		t.Fatal(err)
	}
	s.until(2 * time.Hour)
	if calls := s.sim.Stats().Calls["admin"]; calls != 1 {
		t.Errorf("%d calls in a window", calls)
	}
}

// The log has one line at the beginning, one when the reason changes, and one at the end. The
// status page has each cause with its number and its last time.
func TestAdminLogsAnotherReason(t *testing.T) {
	s := newStory(t, simulator.Config{}, adminDefaults(), abs.Exclusive)
	at := func(minutes int) time.Time { return storyBegin.Add(time.Duration(minutes) * time.Minute) }
	if err := s.sim.SetFaults(
		simulator.Fault{Report: "admin", Kind: simulator.FaultStatus, Code: http.StatusBadGateway, From: at(58), To: at(83)},
		simulator.Fault{Report: "admin", Kind: simulator.FaultHTML, From: at(83), To: at(98)},
	); err != nil {
		t.Fatal(err)
	}
	s.until(2 * time.Hour)
	if n := strings.Count(s.log.String(), `msg="admin report not read"`); n != 2 {
		t.Errorf("%d lines, want one for each reason:\n%s", n, s.log)
	}
	if n := strings.Count(s.log.String(), "failures=8"); n != 1 {
		t.Errorf("the end is logged %d times:\n%s", n, s.log)
	}
	var got []string
	for _, e := range s.status.Load().Errors {
		got = append(got, fmt.Sprintf("%d in %v", e.Times, e.At.Sub(e.Since).Round(time.Minute)))
	}
	if want := []string{"3 in 10m0s", "5 in 20m0s"}; !slices.Equal(got, want) {
		t.Errorf("the status page has %q, want %q", got, want)
	}
}

// value returns the value that a scrape has of a series; "" without one.
func (r *rig) value(t testing.TB, series string) string {
	t.Helper()
	for _, line := range r.scrape(t) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return value
		}
	}
	return ""
}

// An answer without APIs is not one with none: the status page shows that they are not known.
func TestAdminWithoutAPIs(t *testing.T) {
	for body, known := range map[string]bool{
		`{"name":"api_admin","license_info":{"expired":true}}`:                                                        false,
		`{"name":"api_admin","license_info":{"expired":true},"apis":{}}`:                                              false,
		`{"name":"api_admin","license_info":{"expired":true},"apis":[]}`:                                              true,
		`{"name":"api_admin","license_info":{"expired":true},"apis":[{"api_name":"shop"}]}`:                           false,
		`{"name":"api_admin","license_info":{"expired":true},"apis":[{"api_name":"shop","prediction_mode":"false"}]}`: true,
	} {
		r, err := newRig(adminDefaults(), time.UTC, abs.Exclusive, 0, &handClock{}, &onlyAdmin{"/v5/abs/admin", []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		r.cycle(storyBegin)
		if a := r.status.Load().Admin; a.Known != known || !a.LicenseExpired {
			t.Errorf("%s: the status page has %+v", body, a)
		}
	}
}

// While the report fails, its gauges keep their last value, for a window at most.
func TestAdminKeepsItsLastValue(t *testing.T) {
	s := newStory(t, simulator.Config{APIs: []string{"shop"}}, adminDefaults(), abs.Exclusive)
	s.until(10 * time.Minute)
	if err := s.sim.SetFaults(simulator.Fault{Report: "admin", Kind: simulator.FaultStatus}); err != nil {
		t.Fatal(err)
	}
	s.until(3 * time.Hour)
	s.shows(`abs_api_prediction_mode{target="t",api="shop"} 1`)
	s.until(3*time.Hour + 20*time.Minute)
	if lines := s.ownState(t); len(lines) != 0 || s.status.Load().Admin.Known {
		t.Errorf("older than the window, and exposed:\n%s", strings.Join(lines, "\n"))
	}
}

// A time zone that is not the configured one is logged once, with what to set, and exposed.
func TestAdminReportsZoneMismatch(t *testing.T) {
	s := newStory(t, simulator.Config{}, adminDefaults(), abs.Exclusive)
	s.until(10 * time.Minute)
	s.shows(`abs_server_timezone_mismatch{target="t",timezone="utc"} 0`)
	if err := s.sim.SetFaults(simulator.Fault{Kind: simulator.FaultZone, Body: "Asia/Kolkata", To: storyBegin.Add(2 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	s.until(time.Hour)
	s.shows(`abs_server_timezone_mismatch{target="t",timezone="Asia/Kolkata"} 1`, `abs_up{target="t"} 1`)
	s.until(3 * time.Hour)
	s.shows(`abs_server_timezone_mismatch{target="t",timezone="utc"} 0`)
	log := s.log.String()
	if strings.Count(log, "level=WARN") != 1 || strings.Count(log, "set --abs.timezone=Asia/Kolkata") != 1 || strings.Count(log, "is the configured one again") != 1 {
		t.Errorf("log:\n%s", log)
	}
}
