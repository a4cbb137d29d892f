package collector

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// ABS's clock is a metric; a difference past a minute is logged once, and so is its end.
func TestClockSkew(t *testing.T) {
	for name, tt := range map[string]struct {
		ahead, other time.Duration // of ABS, in the first half hour; of every second answer
		logged       int
	}{
		"90 s ahead":              {90 * time.Second, 90 * time.Second, 1},
		"three hours behind":      {-3 * time.Hour, -3 * time.Hour, 1},
		"as good as right":        {55 * time.Second, 55 * time.Second, 0},
		"one of two nodes is off": {2 * time.Minute, 0, 1},
	} {
		o := defaults()
		o.Forensics = false
		s := newStory(t, simulator.Config{Seed: 1, Tokens: 3}, o, abs.Exclusive, func(c *abs.Config, _ *Target) {
			calls, transport := 0, c.Transport
			c.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
				resp, err := transport.RoundTrip(r)
				ahead := time.Duration(0)
				if calls++; c.Now().Before(storyBegin.Add(30 * time.Minute)) {
					ahead = tt.ahead
					if calls%2 == 0 {
						ahead = tt.other
					}
				}
				resp.Header.Set("Date", c.Now().Add(ahead).UTC().Format(http.TimeFormat))
				return resp, err
			})
		})
		s.until(20 * time.Minute)
		if got := s.gauge("abs_server_clock_skew_seconds"); tt.ahead == tt.other && (time.Duration(got*1e9)-tt.ahead).Abs() > time.Second {
			t.Errorf("%s: the skew is %v s", name, got)
		}
		s.until(time.Hour)
		log := s.log.String()
		if n := strings.Count(log, "clock of ABS differs"); n != tt.logged || strings.Count(log, "clock of ABS agrees again") != n {
			t.Errorf("%s: %d beginnings and as many ends are wanted: %s", name, tt.logged, log)
		}
		if got := s.gauge("abs_server_clock_skew_seconds"); got < -1 || got > 1 {
			t.Errorf("%s: in the end the skew is %v s", name, got)
		}
		if strings.Contains(log, "time zone") {
			t.Errorf("%s: a clock is not a zone: %s", name, log)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// gauge returns the value of a metric that has no label but target.
func (s *story) gauge(name string) float64 {
	s.t.Helper()
	for _, line := range s.scrape(s.t) {
		if value, ok := strings.CutPrefix(line, name+`{target="t"} `); ok {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return v
		}
	}
	s.t.Errorf("%s is absent", name)
	return 0
}

// At the start the log says which ABS is polled, and what time it is there.
func TestTargetIsLogged(t *testing.T) {
	clock := &handClock{now: storyBegin}
	r, err := newRig(defaults(), mustLoad(t, "Asia/Kathmandu"), abs.Exclusive, 0, clock, simulator.New(simulator.Config{}).Transport(), func(_ *abs.Config, t *Target) {
		t.URL = "https://abs.example.com:8080/base"
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = `msg="polling target" target=t host=abs.example.com:8080 timezone=Asia/Kathmandu local_time=2026-11-23T14:45+05:45`
	if !strings.Contains(r.log.String(), want) {
		t.Errorf("%s is missing: %s", want, r.log)
	}
}
