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
	"github.com/abs-exporter/abs-exporter/metrics"
)

// answers replaces the bodies of an ABS for a while.
type answers struct {
	http.RoundTripper
	body     string // empty: ABS answers itself
	replaced int
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := a.RoundTripper.RoundTrip(r)
	if err == nil && a.body != "" {
		_ = resp.Body.Close()
		a.replaced++
		resp.Body = io.NopCloser(strings.NewReader(a.body))
	}
	return resp, err
}

// A report of nothing but its name is no failure, settles nothing and is counted apart; one whose
// summary has requests but no rows is a failed reading. Either lasts from the second hour to the
// sixth.
func TestOddAnswersSettleNothing(t *testing.T) {
	long(t)
	for body, up := range map[string]int{
		`{"name":"oauth_token_metrics"}`: 1,
		`{"name":"oauth_token_metrics","summary":{"tokens":1,"total_requests":5},"details":[]}`: 0,
	} {
		o := defaults()
		o.Forensics = false
		odd := &answers{}
		s := newStory(t, simulator.Config{Seed: 1, Tokens: 5, Delay: 5 * time.Minute, End: storyBegin.Add(9 * time.Hour)}, o, abs.Exclusive,
			func(c *abs.Config, _ *Target) { odd.RoundTripper = c.Transport; c.Transport = odd })
		s.until(time.Hour)
		odd.body = body
		s.until(6 * time.Hour)
		// up is also how many of the reports are empty, of each.
		s.shows(fmt.Sprintf(`abs_up{target="t"} %d`, up),
			fmt.Sprintf(`abs_exporter_empty_reports_total{report="oauthtokens",target="t"} %d`, up*odd.replaced))
		odd.body = ""
		s.until(14 * time.Hour)
		if s.counted() != s.truth() {
			t.Errorf("%s: counted %d of %d", body, s.counted(), s.truth())
		}
	}
}

// The exporter's clock is wrong for a while, ABS's is not.
func TestWrongClock(t *testing.T) {
	long(t)
	for name, tt := range map[string]struct {
		wrong      time.Duration
		begin, end time.Duration // of the time in which it is wrong
	}{
		"three hours ahead for a cycle":            {3 * time.Hour, 5 * time.Hour, 5*time.Hour + 2*time.Minute},
		"three days ahead":                         {72 * time.Hour, 5 * time.Hour, 6 * time.Hour},
		"a day behind":                             {-24 * time.Hour, 5 * time.Hour, 6 * time.Hour},
		"ahead at the first start":                 {3*time.Hour + 30*time.Minute, 0, time.Hour},
		"ahead at the first start, put right late": {3*time.Hour + 30*time.Minute, 0, 3 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			o := defaults()
			o.Forensics = false
			truth := &handClock{now: storyBegin}
			s := newStory(t, simulator.Config{Seed: 1, Now: truth.Now}, o, abs.Exclusive)
			for m := range 600 {
				s.sim.Add(simulator.Event{
					At: storyBegin.Add(time.Duration(m) * time.Minute), VisibleFrom: storyBegin.Add(time.Duration(m+20) * time.Minute),
					Token: "some-long-token-of-a-user", API: "shop", Device: "LINUX", IP: "10.0.0.1", N: 3,
				})
			}
			for d := time.Duration(0); d < 16*time.Hour; d += o.Interval {
				truth.set(storyBegin.Add(d))
				if d >= tt.begin && d < tt.end {
					s.cycle(storyBegin.Add(d + tt.wrong))
				} else {
					s.cycle(storyBegin.Add(d))
				}
				s.enter()
			}
			if s.counted() != 1800 {
				t.Errorf("counted %d of 1800", s.counted())
			}
			s.shows(`abs_exporter_missed_slots_total{target="t"} 0`)
		})
	}
}

// Another slot length leaves no hole.
func TestRestartWithShorterSlots(t *testing.T) {
	long(t)
	o := defaults()
	o.StateDir = t.TempDir()
	o.Forensics = false
	o.Slot = 24 * time.Hour
	o.MaxBackfill = 48 * time.Hour
	s := steady(t, o, 36*60, 3)
	s.until(2 * time.Hour)
	s.o.Slot = 20 * time.Minute
	s.restart()
	s.until(40 * time.Hour)
	if s.counted() != 3*36*60 {
		t.Errorf("counted %d of %d", s.counted(), 3*36*60)
	}
}

// Antarctica/Troll sets its clocks back by two hours: the slot there is four hours long, which is
// no reason to take the clock for one that was set back. The exporter starts before, or inside.
func TestTwoHoursBack(t *testing.T) {
	long(t)
	troll, err := time.LoadLocation("Antarctica/Troll")
	if err != nil {
		t.Fatal(err)
	}
	for _, wallClock := range []bool{false, true} {
		for _, slot := range []time.Duration{10 * time.Minute, 30 * time.Minute} {
			o := defaults()
			o.Forensics = false
			o.Slot = slot
			begin := time.Date(2026, 10, 24, 23, 30, 0, 0, time.UTC)
			if slot == 30*time.Minute {
				begin = begin.Add(-6 * time.Hour)
			}
			clock := &handClock{now: begin}
			sim := simulator.New(simulator.Config{Seed: 1, Now: clock.Now, Location: troll, WallClock: wallClock})
			for m := -300; m < 1200; m++ {
				sim.Add(simulator.Event{At: begin.Add(time.Duration(m) * time.Minute), Token: "some-long-token-of-a-user", API: "shop", N: 3})
			}
			r, err := newRig(o, troll, abs.Exclusive, 0, clock, sim.Transport())
			if err != nil {
				t.Fatal(err)
			}
			b := newBooks()
			for d := time.Duration(0); d < 26*time.Hour; d += o.Interval {
				r.cycle(begin.Add(d))
				if err := b.enter(r.last); err != nil {
					t.Fatal(err)
				}
			}
			if got := b.value(metrics.Requests); got != 3600 {
				t.Errorf("slots of %v, wall clock %v: counted %d of 3600", slot, wallClock, got)
			}
		}
	}
}

// disagreeing is an ABS whose reports of less than a slot come from a node that is 20 minutes
// behind, at one time.
type disagreeing struct {
	http.RoundTripper
	sim *simulator.Simulator
	at  time.Time
	now func() time.Time
}

func (d *disagreeing) RoundTrip(r *http.Request) (*http.Response, error) {
	const layout = "2006-01-02T15:04"
	from, _ := time.Parse(layout, r.URL.Query().Get("earlier_date"))
	to, _ := time.Parse(layout, r.URL.Query().Get("later_date"))
	var faults []simulator.Fault
	if d.now().Equal(d.at) && to.Sub(from) < 30*time.Minute {
		faults = []simulator.Fault{{Kind: simulator.FaultBehind, Delay: 20 * time.Minute}}
	}
	if err := d.sim.SetFaults(faults...); err != nil {
		return nil, err
	}
	return d.RoundTripper.RoundTrip(r)
}

// A report is truncated, and its halves come from a node that is behind. What the whole had is no
// baseline then, and no reading: the rows that were left out of it would be counted later as if
// they were new.
func TestHalvesOfANodeBehind(t *testing.T) {
	const responseCap = 8_000
	o := defaults()
	o.Forensics = false
	abses := &disagreeing{at: storyBegin}
	s := newStory(t, simulator.Config{Seed: 1, ResponseCap: responseCap, CapKind: simulator.CapRows}, o, abs.Exclusive,
		func(c *abs.Config, t *Target) {
			c.ResponseCap, t.ResponseCap = responseCap, responseCap
			abses.RoundTripper, c.Transport = c.Transport, abses
		})
	abses.sim, abses.now = s.sim, s.clock.Now
	// Of each three requests one is reported at once, one by the node that is not behind, and one an
	// hour after the start.
	visible := [...]time.Duration{-time.Hour, -5 * time.Minute, time.Hour}
	for i := range 60 {
		s.sim.Add(simulator.Event{
			At: storyBegin.Add(time.Duration(i/3-25) * time.Minute), VisibleFrom: storyBegin.Add(visible[i%3]),
			Token: fmt.Sprint("some-long-token-of-user-", i), N: 3,
		})
	}
	s.until(2 * time.Hour)
	if s.counted() != 60 {
		t.Errorf("counted %d, 60 came after the start", s.counted())
	}
}
