package collector

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/collector/calls"
)

// script is an ABS whose answers a test replaces for a while.
type script struct {
	http.RoundTripper
	replaced bool
	status   int
	body     string
	calls    int // that were answered with body
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.RoundTripper.RoundTrip(r)
	if err == nil && s.replaced {
		s.calls++
		_ = resp.Body.Close()
		resp.StatusCode, resp.Body = s.status, io.NopCloser(strings.NewReader(s.body))
	}
	return resp, err
}

// scripted starts a story whose ABS has a script, and whose client is observed as serve has it.
func scripted(t *testing.T) (*story, *script) {
	t.Helper()
	o := defaults()
	o.Forensics = false
	var s *story
	node := &script{}
	s = newStory(t, simulator.Config{Seed: 1, Tokens: 5, Delay: 5 * time.Minute, End: storyBegin.Add(12 * time.Hour)}, o, abs.Exclusive,
		func(c *abs.Config, _ *Target) {
			node.RoundTripper = c.Transport
			c.Transport = node
			var observe func(abs.Call)
			c.Observe = func(call abs.Call) {
				if observe == nil {
					observe = calls.Observe(s.health, "t", s.clock.Now, s.target.log)
				}
				observe(call)
			}
		})
	return s, node
}

// A missing body is not a body that was too long: it causes no more requests than a web page does,
// and nothing is lost.
func TestAbsentBodyCutsNothing(t *testing.T) {
	long(t)
	calls := map[string]int{}
	for _, c := range []struct {
		status int
		body   string
	}{{200, "<html>"}, {204, ""}, {200, ""}, {202, ""}, {200, " \r\n"}} {
		s, node := scripted(t)
		s.until(time.Hour)
		node.replaced, node.status, node.body = true, c.status, c.body
		s.until(4 * time.Hour)
		s.shows(`abs_up{target="t"} 0`)
		failures := fmt.Sprintf(`abs_exporter_report_failures_total{reason="decode",report="oauthtokens",target="t"} %d`, node.calls)
		s.shows(failures)
		node.replaced = false
		name := fmt.Sprintf("%d %q", c.status, c.body)
		calls[name] = node.calls
		s.until(15 * time.Hour)
		if s.counted() != s.truth() {
			t.Errorf("%s: counted %d of %d", name, s.counted(), s.truth())
		}
	}
	for name, n := range calls {
		if want := calls[`200 "<html>"`]; n != want {
			t.Errorf("%s: %d calls, want %d", name, n, want)
		}
	}
}

// Rows that cannot be read are left out: their requests are unattributed, and the others count.
func TestSkippedRowsAreUnattributed(t *testing.T) {
	s, node := scripted(t)
	node.replaced, node.status = true, 200
	node.body = `{"name":"oauth_token_metrics","summary":{"tokens":3,"total_requests":17},"details":[` +
		`{"token":"a","total_requests":5},{"token":null,"total_requests":4},{"token":"b","total_requests":-1},{"token":"c","total_requests":8.0}]}`
	s.until(2 * time.Minute)
	s.shows(
		`abs_up{target="t"} 1`,
		`abs_window_requests{target="t"} 17`,
		`abs_window_unattributed_requests{target="t"} 4`,
		fmt.Sprintf(`abs_exporter_report_rows_skipped_total{reason="token",report="oauthtokens",target="t"} %d`, node.calls),
		fmt.Sprintf(`abs_exporter_report_rows_skipped_total{reason="count",report="oauthtokens",target="t"} %d`, node.calls),
	)
	// One line, until it is over: nodes may differ, and the windows of a cycle do.
	for at := 2 * time.Minute; at < 30*time.Minute; at += 2 * time.Minute {
		s.until(at)
		node.replaced = !node.replaced
	}
	node.replaced = true
	s.until(30 * time.Minute)
	reports := node.calls
	s.hasLogged(`msg="rows skipped"`, 1)
	node.replaced = false
	s.until(85 * time.Minute)
	s.hasLogged("no rows skipped any more", 0)
	s.until(95 * time.Minute)
	s.hasLogged(fmt.Sprintf(`report=oauthtokens after=30m0s rows=%d`, 2*reports), 1)
	node.replaced = true
	s.until(2 * time.Hour)
	s.hasLogged(`msg="rows skipped"`, 2)
}

// hasLogged checks how often the log has a text.
func (s *story) hasLogged(text string, want int) {
	s.t.Helper()
	if n := strings.Count(s.log.String(), text); n != want {
		s.t.Errorf("after %v: %d times in the log, want %d: %s", s.clock.Now().Sub(storyBegin), n, want, text)
	}
}

// A report about other dates is counted as it stands, and logged once.
func TestOtherDatesAreCounted(t *testing.T) {
	s, node := scripted(t)
	node.replaced, node.status = true, 200
	node.body = `{"name":"oauth_token_metrics","earlier_date":"Tue Feb 13 18:00:00:000 2018","later_date":"Tue Feb 13 19:00:00:000 2018",` +
		`"summary":{"tokens":1,"total_requests":5},"details":[{"token":"a","total_requests":5}]}`
	s.until(30 * time.Minute)
	s.shows(`abs_up{target="t"} 1`, `abs_window_requests{target="t"} 5`,
		fmt.Sprintf(`abs_exporter_report_mismatches_total{field="dates",report="oauthtokens",target="t"} %d`, node.calls))
	if n := strings.Count(s.log.String(), `msg="report about other dates"`); n != 1 {
		t.Errorf("logged %d times", n)
	}
	node.replaced = false
	before := s.scrape(t)
	s.until(time.Hour)
	for _, line := range before {
		if strings.HasPrefix(line, "abs_exporter_report_mismatches_total") {
			s.shows(line) // ABS's own answers are about what was asked for
		}
	}
}

// A token that a complete report lacks is not in the window. Rows that were left out count towards
// that with what they report, unless they name a token or have no count.
func TestIsComplete(t *testing.T) {
	skipped := func(requests, unknown int64) abs.Oddities {
		return abs.Oddities{Skipped: abs.Skipped{Token: 1, Requests: requests, Unknown: unknown}}
	}
	for i, c := range []struct {
		summary abs.Summary
		want    bool
	}{
		{abs.Summary{HasSummary: true, Requests: 5, RowRequests: 5, Rows: 1}, true},
		{abs.Summary{HasSummary: true, Requests: 5, RowRequests: 4, Rows: 1}, false},
		{abs.Summary{HasSummary: true, Requests: 5, RowRequests: 4, Rows: 1, Oddities: skipped(1, 0)}, true},
		{abs.Summary{HasSummary: true, Requests: 5, RowRequests: 3, Rows: 1, Oddities: skipped(1, 0)}, false},
		{abs.Summary{HasSummary: true, Requests: 5, RowRequests: 5, Rows: 1, Oddities: skipped(1, 1)}, false},
		{abs.Summary{Oddities: skipped(1, 0)}, true},
		{abs.Summary{HasSummary: true}, true},
		{abs.Summary{}, false},
	} {
		if got := isComplete(c.summary); got != c.want {
			t.Errorf("%d: %t, want %t", i, got, c.want)
		}
	}
}
