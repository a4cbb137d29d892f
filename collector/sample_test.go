package collector

import (
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// published answers with the two sample reports, byte for byte as published: forensics
// of every token, the sliding window, and one slot. Other slots are empty.
type published struct {
	tokens, forensics []byte
	slot              string // its earlier_date
}

// RoundTrip implements http.RoundTripper.
func (p *published) RoundTrip(r *http.Request) (*http.Response, error) {
	q := r.URL.Query()
	body := string(p.tokens)
	from, _ := time.Parse("2006-01-02T15:04", q.Get("earlier_date"))
	to, _ := time.Parse("2006-01-02T15:04", q.Get("later_date"))
	switch {
	case q.Has("token"):
		body = string(p.forensics)
	case to.Sub(from) != 3*time.Hour && q.Get("earlier_date") != p.slot:
		body = `{"name": "oauth_token_metrics", "summary": {"tokens": 0, "total_requests": 0}, "details": []}`
	}
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

// TestPublishedSamples is what the exporter exists to read, and what it makes of it.
func TestPublishedSamples(t *testing.T) {
	var p published
	var err error
	if p.tokens, err = os.ReadFile("../abs/reports/testdata/oauthtokens.sample"); err != nil {
		t.Fatal(err)
	}
	if p.forensics, err = os.ReadFile("../abs/reports/testdata/forensics.sample"); err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 11, 23, 10, 20, 0, 0, time.UTC)
	p.slot = "2026-11-23T10:30"
	clock := &handClock{now: start}
	r, err := newRig(defaults(), time.UTC, abs.Exclusive, 0, clock, &p)
	if err != nil {
		t.Fatal(err)
	}
	for at := start; at.Before(start.Add(30 * time.Minute)); at = at.Add(2 * time.Minute) {
		r.cycle(at)
	}
	token10, id1 := testKey.ID([]byte("token10")).String(), testKey.ID([]byte("token_method")).String()
	lines := r.scrape(t)
	for _, want := range []string{
		`abs_window_tokens{target="t"} 30`,
		`abs_window_requests{target="t"} 163250`,
		`abs_window_unattributed_requests{target="t"} 151044`,
		`abs_window_seconds{target="t"} 10800`,
		`abs_requests_total{target="t"} 12206`,
		`abs_method_requests_total{target="t",method="PUT"} 3464`,
		`abs_api_requests_total{target="t",api="2_atm_app_oauth"} 6103`,
		`abs_device_requests_total{target="t",device="UNKNOWN"} 12206`,
		`abs_token_requests_total{target="t",token="` + token10 + `"} 4596`,
		`abs_token_method_requests_total{target="t",token="` + token10 + `",method="PUT"} 1616`,
		`abs_token_api_requests_total{target="t",token="` + token10 + `",api="atm_app_oauth"} 2298`,
		`abs_token_requests_total{target="t",token="_other"} 0`,
		`abs_token_window_requests{target="t",token="` + token10 + `"} 4596`,
		`abs_token_attack_types{target="t",token="` + id1 + `"} 2`,
		`abs_token_anomaly_types{target="t",token="` + id1 + `"} 0`,
		`abs_token_attack_active{target="t",token="` + id1 + `",attack_type="API Memory Attack Type 1",api="atm_app_oauth"} 1`,
		`abs_token_attack_active{target="t",token="` + id1 + `",attack_type="API Memory Attack Type 1",api="2_atm_app_oauth"} 1`,
		`abs_token_attack_active{target="t",token="` + id1 + `",attack_type="Data Poisoning Attack",api="atm_app_oauth"} 1`,
		`abs_token_attack_active{target="t",token="` + id1 + `",attack_type="Data Poisoning Attack",api="2_atm_app_oauth"} 1`,
		`abs_attack_tokens{target="t",attack_type="Data Poisoning Attack",api="atm_app_oauth"} 5`,
		`abs_flagged_tokens{target="t"} 5`,
		`abs_attack_detections_total{target="t",attack_type="Data Poisoning Attack",api="atm_app_oauth"} 5`,
		`abs_up{target="t"} 1`,
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("missing: %s", want)
		}
	}
	attacks := 0
	for _, line := range lines {
		if strings.HasPrefix(line, "abs_token_attack_active{") && strings.Contains(line, id1) {
			attacks++
		}
		if strings.Contains(line, "token10") {
			t.Errorf("a token is exposed: %s", line)
		}
	}
	if attacks != 4 {
		t.Errorf("%d attack series of one token, 4 wanted", attacks)
	}
	if t.Failed() {
		t.Log(strings.Join(lines, "\n"))
	}
	checkSnapshot(t, r.last, "t")
}

// checkSnapshot fails unless each series belongs to its block's family, has the target as its first
// label, and is there once.
func checkSnapshot(t *testing.T, s *metrics.Snapshot, target string) {
	t.Helper()
	seen := map[string]bool{}
	for _, block := range s.Blocks {
		for _, sample := range block.Samples {
			text := sample.Series.String()
			if sample.Series.Family() != block.Family || !strings.HasPrefix(text, block.Family.Name+`{target="`+target+`"`) || seen[text] {
				t.Errorf("%s is in the block of %s, or in the snapshot twice, or of another target", text, block.Family.Name)
			}
			seen[text] = true
		}
	}
}
