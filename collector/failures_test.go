package collector

import (
	"flag"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

var update = flag.Bool("update", false, "write the golden files anew")

// logLines returns the log without what is of the machine.
func (r *rig) logLines() string {
	text := regexp.MustCompile(`(?m)^time=\S+ `).ReplaceAllString(r.log.String(), "")
	return regexp.MustCompile(` (saved|target)=\S+`).ReplaceAllString(text, "")
}

// The whole log of a start and of outages of half an hour: what fails has one line a cycle and
// cause, and one line at its end.
func TestLogOfAnOutage(t *testing.T) {
	for name, fault := range map[string]simulator.Fault{
		"down":           {Kind: simulator.FaultDown, Delay: 5 * time.Minute},
		"reset":          {Kind: simulator.FaultReset},
		"keys-refused":   {Kind: simulator.FaultStatus, Code: http.StatusUnauthorized},
		"forensics-down": {Kind: simulator.FaultStatus, Code: http.StatusServiceUnavailable, Report: "forensics"},
	} {
		t.Run(name, func(t *testing.T) {
			o := defaults()
			s := newStory(t, simulator.Config{Seed: 8, Tokens: 3, Delay: 5 * time.Minute}, o, abs.Exclusive, withAttackReports)
			fault.From, fault.To = storyBegin.Add(4*time.Hour), storyBegin.Add(4*time.Hour+11*time.Minute)
			if err := s.sim.SetFaults(fault); err != nil {
				t.Fatal(err)
			}
			s.until(5 * time.Hour)
			golden := "testdata/log/" + name + ".log"
			got := s.logLines()
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(golden); err != nil || got != string(want) {
				t.Errorf("%s is not the log (%v); write it anew with -update\ngot:\n%s", golden, err, got)
			}
		})
	}
}

// Keys that ABS refuses are refused once a cycle, and what no answer has had for the length of the
// window ends all the same.
func TestRefusedKeysEndTheCycle(t *testing.T) {
	s := newStory(t, simulator.Config{Seed: 9, Tokens: 3, Delay: 5 * time.Minute}, defaults(), abs.Exclusive, withAttackReports)
	token := "explicit-token-under-attack"
	for m := range 90 {
		s.sim.Add(simulator.Event{At: storyBegin.Add(time.Duration(m) * time.Minute), Token: token, API: "shop"})
	}
	s.sim.AddAttack(simulator.Attack{
		Token: token, Type: "Data Poisoning Attack", APIs: []string{"shop"},
		From: storyBegin.Add(5 * time.Minute), To: storyBegin.Add(24 * time.Hour),
	})
	s.until(time.Hour)
	s.shows(`abs_flagged_tokens{target="t"} 1`)
	s.clock.set(storyBegin.Add(time.Hour + s.o.Interval))
	s.sim.ResetStats()
	if err := s.sim.SetFaults(simulator.Fault{Kind: simulator.FaultStatus, Code: http.StatusForbidden}); err != nil {
		t.Fatal(err)
	}
	s.until(5 * time.Hour)
	cycles := int64(4 * time.Hour / s.o.Interval)
	if stats := s.sim.Stats(); stats.Calls["oauthtokens"] != cycles || stats.Statuses[http.StatusForbidden] != cycles {
		t.Errorf("in %d cycles there were these calls: %v, %v", cycles, stats.Calls, stats.Statuses)
	}
	s.shows("abs_flagged_tokens", "abs_token_attack_active", `abs_up{target="t"} 0`)
}

// Events have the level of their severity, and are left out of the log if that is wanted.
func TestLogOfEvents(t *testing.T) {
	for _, logged := range []bool{true, false} {
		o := defaults()
		o.LogEvents = logged
		s := newStory(t, simulator.Config{Seed: 10, Tokens: 3, Delay: 5 * time.Minute}, o, abs.Exclusive)
		for i, attack := range []simulator.Attack{
			{Type: "Data Exfiltration Attack Type 1"}, // critical
			{Type: "API Memory Attack Type 1"},        // a warning
			{Type: "A Type of Tomorrow"},              // unknown
		} {
			attack.Token, attack.APIs = "explicit-token-under-attack-"+string(rune('a'+i)), []string{"shop"}
			attack.From, attack.To = storyBegin.Add(5*time.Minute), storyBegin.Add(20*time.Minute)
			s.sim.AddAttack(attack)
			for m := range 60 {
				s.sim.Add(simulator.Event{At: storyBegin.Add(time.Duration(m) * time.Minute), Token: attack.Token, API: "shop"})
			}
		}
		s.until(5 * time.Hour)
		var got []string
		for _, m := range regexp.MustCompile(`level=(\S+) msg="(\w+ (?:began|ended))" .*severity=(\w+)`).FindAllStringSubmatch(s.log.String(), -1) {
			got = append(got, strings.Join(m[1:], " "))
		}
		slices.Sort(got)
		var want []string
		if logged {
			want = []string{
				"ERROR attack began critical", "INFO attack ended critical", "INFO attack ended unknown", "INFO attack ended warning",
				"WARN attack began unknown", "WARN attack began warning",
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("with events %v: %q, want %q\n%s", logged, got, want, s.log)
		}
		s.shows(`abs_attack_detections_total{target="t",attack_type="A Type of Tomorrow",api="shop"} 1`)
	}
}

// watched sees each request.
type watched struct {
	http.RoundTripper
	see func(path string)
}

func (w watched) RoundTrip(r *http.Request) (*http.Response, error) {
	w.see(r.URL.Path)
	return w.RoundTripper.RoundTrip(r)
}

// While a cycle runs, its first request and its last included, the status says since when; between
// two cycles it says when the next begins.
func TestStatusWhileACycleRuns(t *testing.T) {
	sim := simulator.New(simulator.Config{Seed: 1, Tokens: 3, Begin: storyBegin, Rate: 30, Now: func() time.Time { return storyBegin }})
	clock := &handClock{now: storyBegin}
	var r *rig
	requests := 0
	see := func(path string) {
		requests++
		if s := r.status.Load(); !s.Running.Equal(clock.Now()) {
			t.Errorf("%s: running since %v at %v", path, s.Running, clock.Now())
		}
	}
	r, err := newRig(defaults(), time.UTC, abs.Exclusive, 0, clock, watched{sim.Transport(), see},
		func(_ *abs.Config, t *Target) { t.URL = "https://abs.example.com:8443/base" })
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		at := storyBegin.Add(time.Duration(i) * 2 * time.Minute)
		r.cycle(at)
		if s := r.status.Load(); !s.Running.IsZero() || !s.NextCycle.Equal(at.Add(2*time.Minute)) || !s.LastCycle.Equal(at) {
			t.Errorf("after the cycle of %v: %+v", at, s)
		}
	}
	if s := r.status.Load(); requests < 6 || s.Host != "abs.example.com:8443" || s.Location != time.UTC {
		t.Errorf("%d requests, host %s, zone %v", requests, s.Host, s.Location)
	}
}
