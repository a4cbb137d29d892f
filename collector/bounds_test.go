package collector

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// hostileABS answers requests for the token report with rows, and others with nothing.
type hostileABS func(*http.Request) (rows string)

func (h hostileABS) RoundTrip(r *http.Request) (*http.Response, error) {
	w := &http.Response{StatusCode: http.StatusNotFound, Header: http.Header{}, Body: http.NoBody, Request: r, ProtoMajor: 1, ProtoMinor: 1}
	if strings.Contains(r.URL.Path, "oauthtokens") {
		w.StatusCode = http.StatusOK
		w.Body = io.NopCloser(strings.NewReader(`{"name":"oauth_token_metrics","details":[` + h(r) + `]}`))
	}
	return w, nil
}

func newHostile(t *testing.T, h hostileABS, change func(*Options)) *rig {
	t.Helper()
	o := defaults()
	o.StateDir, o.Forensics = t.TempDir(), false
	if change != nil {
		change(&o)
	}
	clock := &handClock{}
	clock.set(storyBegin)
	r, err := newRig(o, time.UTC, abs.Exclusive, 0, clock, h)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// An ABS that reports 2^52 requests in each slot takes no counter past 2^53: the reading that would
// fails, and the counters stand still.
func TestSumsOfAHostileABS(t *testing.T) {
	r := newHostile(t, func(*http.Request) string {
		return `{"token":"a","total_requests":4503599627370496,"ip_list":[{"total_requests":4503599627370496,"methods":{"GET":4503599627370496},"apis":{"shop":4503599627370496}}]}`
	}, func(o *Options) { o.Lookback = 30 * time.Minute })
	for i := range 120 {
		r.cycle(storyBegin.Add(time.Duration(i) * 2 * time.Minute))
		for _, b := range r.last.Blocks {
			for _, s := range b.Samples {
				if s.Value < 0 || b.Family.Type == metrics.Counter && s.Value > 1<<53 {
					t.Fatalf("%v is %d", s.Series, s.Value)
				}
			}
		}
	}
	text := strings.Join(r.scrape(t), "\n")
	if !strings.Contains(text, `abs_requests_total{target="t"} 9007199254740992`) {
		t.Error("the requests that fit are not counted")
	}
	if strings.Contains(text, `abs_exporter_report_failures_total{target="t",report="oauthtokens",reason="decode"} 0`) {
		t.Error("no reading failed")
	}
	if log := r.log.String(); !strings.Contains(log, "past 2^53") {
		t.Errorf("the log does not say why: %s", log[:min(len(log), 2000)])
	}
}

// 100 APIs with names of 1 MB, and as many devices: no label has more than 128 bytes, and what is
// held, exposed, logged and saved is bounded.
func TestLongNamesOfAHostileABS(t *testing.T) {
	long(t)
	var rows strings.Builder
	for i := range 100 {
		if i > 0 {
			rows.WriteByte(',')
		}
		name := strconv.Itoa(i) + strings.Repeat("ä", 500_000)
		fmt.Fprintf(&rows, `{"token":"token %d","total_requests":1,"ip_list":[{"ip":%[2]q,"total_requests":1,"methods":{%[2]q:1},"devices":{%[2]q:1},"apis":{%[3]q:1}}]}`,
			i, strings.ToValidUTF8(name[:5000], ""), name)
	}
	n := 0
	r := newHostile(t, func(*http.Request) string {
		if n++; n > 3 {
			return ""
		}
		return rows.String()
	}, func(o *Options) { o.Lookback, o.Dimensions = 3*time.Hour, append(o.Dimensions, counts.IP) })
	for i := range 4 {
		r.cycle(storyBegin.Add(time.Duration(i) * 2 * time.Minute))
	}
	rows.Reset()
	lines := r.scrape(t)
	scrape := 0
	for _, line := range lines {
		if scrape += len(line); len(line) > 600 {
			t.Fatalf("a line of %d bytes: %s…", len(line), line[:200])
		}
	}
	for _, b := range r.last.Blocks {
		for _, s := range b.Samples {
			for name, value := range s.Series.Labels() {
				if len(value) > 128 {
					t.Fatalf("%s: %s has %d bytes", b.Family.Name, name, len(value))
				}
			}
		}
	}
	if !strings.Contains(strings.Join(lines, "\n"), `abs_api_requests_total{target="t",api="7ä`) {
		t.Error("the APIs have no series")
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s := savedState{Ledger: r.ledger.State()}
	state, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d lines, %d bytes of a scrape, %d of the log, %d of state, %d MiB of heap", len(lines), scrape, r.log.Len(), len(state), m.HeapAlloc>>20)
	if scrape > 1<<20 || r.log.Len() > 50<<10 || len(state) > 2<<20 || m.HeapAlloc > 96<<20 {
		t.Error("that is more than 1 MiB, 50 KiB, 2 MiB, 96 MiB")
	}
}
