package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

// The reports as encoding/json reads them, with the members of the published samples and no others.
type sums map[string]int64

type ipRow struct {
	IP            string `json:"ip"`
	TotalRequests int64  `json:"total_requests"`
	Devices       sums   `json:"devices"`
	Methods       sums   `json:"methods"`
	URLs          sums   `json:"urls"`
	APIs          sums   `json:"apis"`
}

type tokenRow struct {
	Token         string  `json:"token"`
	TotalRequests int64   `json:"total_requests"`
	IPList        []ipRow `json:"ip_list"`
}

type tokensReport struct {
	header
	Summary struct {
		Tokens        int64 `json:"tokens"`
		TotalRequests int64 `json:"total_requests"`
	} `json:"summary"`
	Details []tokenRow `json:"details"`
}

type forensicsReport struct {
	header
	Summary struct {
		TotalRequests  int64 `json:"total_requests"`
		TotalAttacks   int64 `json:"total_attacks"`
		TotalAnomalies int64 `json:"total_anomalies"`
	} `json:"summary"`
	Details struct {
		Metrics   tokenRow            `json:"metrics"`
		Attacks   map[string][]string `json:"attack_types"`
		Anomalies map[string][]string `json:"anomaly_types"`
	} `json:"details"`
}

// escaped makes JSON of a report: its raw line break stands inside the description.
func escaped(body string) string {
	return strings.Replace(body, "\n  ", `\n  `, 1)
}

func decode(t *testing.T, body string, to any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(escaped(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		t.Fatalf("reading a report: %v\n%.300s", err, body)
	}
	if trailing, err := io.ReadAll(d.Buffered()); err != nil || strings.TrimSpace(string(trailing)) != "" {
		t.Fatalf("after the report: %q, %v", trailing, err)
	}
}

type reply struct {
	status int
	header http.Header
	body   string
}

// ask is a call as an admin, without a network.
func ask(t *testing.T, s *Simulator, target string, headers ...string) reply {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "https://abs.example"+target, nil)
	r.Header.Set("x-abs-ak", "abs_ak")
	r.Header.Set("x-abs-sk", "abs_sk")
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return reply{w.Code, w.Result().Header, w.Body.String()}
}

func windowQuery(from, to time.Time) string {
	return "later_date=" + to.Format(minuteForm) + "&earlier_date=" + from.Format(minuteForm)
}

func tokens(t *testing.T, s *Simulator, from, to time.Time) tokensReport {
	t.Helper()
	loc := s.cfg.Location
	return tokensOfDates(t, s, from.In(loc).Format(minuteForm), to.In(loc).Format(minuteForm))
}

func tokensOfDates(t *testing.T, s *Simulator, earlier, later string) tokensReport {
	t.Helper()
	a := ask(t, s, "/v4/abs/oauthtokens?later_date="+later+"&earlier_date="+earlier)
	if a.status != http.StatusOK {
		t.Fatalf("oauthtokens: status %d: %s", a.status, a.body)
	}
	var r tokensReport
	decode(t, a.body, &r)
	return r
}

func forensics(t *testing.T, s *Simulator, from, to time.Time, token string) forensicsReport {
	t.Helper()
	a := ask(t, s, "/v4/abs?"+windowQuery(from.In(s.cfg.Location), to.In(s.cfg.Location))+"&token="+url.QueryEscape(token))
	if a.status != http.StatusOK {
		t.Fatalf("forensics: status %d: %s", a.status, a.body)
	}
	var r forensicsReport
	decode(t, a.body, &r)
	return r
}

// addUp returns the Totals of a report, and checks that all its sums agree.
func addUp(t *testing.T, r tokensReport) Totals {
	t.Helper()
	out := Totals{
		ByToken:  map[string]*TokenTotals{},
		ByMethod: map[string]int64{}, ByAPI: map[string]int64{}, ByDevice: map[string]int64{},
	}
	sum := func(what string, of int64, c sums, to ...map[string]int64) {
		for k, n := range c {
			of -= n
			for _, m := range to {
				m[k] += n
			}
		}
		if of != 0 {
			t.Fatalf("%s don't add up: %d off", what, of)
		}
	}
	for _, row := range r.Details {
		tok := out.ByToken[row.Token]
		if tok == nil {
			tok = &TokenTotals{
				ByMethod: map[string]int64{}, ByAPI: map[string]int64{},
				ByDevice: map[string]int64{}, ByIP: map[string]int64{},
			}
			out.ByToken[row.Token] = tok
		}
		left := row.TotalRequests
		for _, ip := range row.IPList {
			left -= ip.TotalRequests
			tok.ByIP[ip.IP] += ip.TotalRequests
			sum("methods", ip.TotalRequests, ip.Methods, tok.ByMethod, out.ByMethod)
			sum("devices", ip.TotalRequests, ip.Devices, tok.ByDevice, out.ByDevice)
			sum("apis", ip.TotalRequests, ip.APIs, tok.ByAPI, out.ByAPI)
			sum("urls", ip.TotalRequests, ip.URLs)
		}
		if left != 0 {
			t.Fatalf("ip_list doesn't add up: %d off", left)
		}
		tok.Requests += row.TotalRequests
		out.Requests += row.TotalRequests
	}
	if out.Requests != r.Summary.TotalRequests || int64(len(out.ByToken)) != r.Summary.Tokens {
		t.Fatalf("the summary counts %d requests of %d tokens, the rows %d of %d",
			r.Summary.TotalRequests, r.Summary.Tokens, out.Requests, len(out.ByToken))
	}
	return out
}

func mustEqual(t *testing.T, what string, got, want Totals) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return
	}
	t.Fatalf("%s: got %d requests of %d tokens, want %d of %d", what,
		got.Requests, len(got.ByToken), want.Requests, len(want.ByToken))
}

// clock is a time that tests set.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(fmt.Sprint("in a test: ", err))
	}
	return t
}

func written(t *testing.T, s *Simulator, from, to time.Time) string {
	t.Helper()
	var b bytes.Buffer
	if err := s.WriteTokens(t.Context(), &b, from, to); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// lateness is how long after it was made a generated request is reported at the latest.
func lateness(c Config) time.Duration { return c.Batch + c.DelayMax }
