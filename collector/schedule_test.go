package collector

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
)

func TestWait(t *testing.T) {
	const interval = 2 * time.Minute
	grid := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name       string
		began, now time.Duration // after the grid's instant
		want       time.Duration
	}{
		{"a short cycle", 0, 5 * time.Second, 115 * time.Second},
		{"begun off the grid, as at a start", 30 * time.Second, 40 * time.Second, 80 * time.Second},
		{"it ends as the next begins", 0, interval, 0},
		{"forensics was cut a moment late", 0, interval + time.Second, 0},
		{"it covers the next", 0, interval + time.Minute, time.Minute},
		{"it covers two", 0, 2*interval + 10*time.Second, 110 * time.Second},
	} {
		if got := wait(grid.Add(tt.began), grid.Add(tt.now), interval); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// An ended slot is read again as often as --collect.reread says, and not a cycle later
// because a cycle began a moment sooner than the one before.
func TestEndedSlotsAreReadOnTime(t *testing.T) {
	o := defaults()
	o.Interval, o.Reread = 2*time.Minute, 6*time.Minute
	s := newStory(t, simulator.Config{Seed: 1, Tokens: 3}, o, abs.Exclusive)
	moments := []time.Duration{900, 20, 400, 0, 700, 300}
	at := storyBegin
	for i := range 45 {
		s.cycle(at.Add(moments[i%len(moments)] * time.Millisecond))
		at = at.Add(o.Interval)
	}
	var read []time.Time
	ended := storyBegin.Truncate(o.Slot).Add(o.Slot)
	for _, call := range s.sim.Stats().Log["oauthtokens"] {
		if call.Later == ended.Format("2006-01-02T15:04") && call.At.After(ended) {
			read = append(read, call.At)
		}
	}
	if len(read) < 5 {
		t.Fatalf("the slot was read %d times", len(read))
	}
	for i := range len(read) - 1 {
		if every := read[i+1].Sub(read[i]); every.Round(o.Interval) != o.Reread {
			t.Errorf("an ended slot was read after %v, want %v", every, o.Reread)
		}
	}
}

// slowABS moves the clock by what each token report takes, and answers 504 where fails says so.
func slowABS(sim *simulator.Simulator, clock *handClock, takes func(from string) (d time.Duration, fails bool)) http.RoundTripper {
	answers := sim.Transport()
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		if !strings.HasSuffix(r.URL.Path, "/oauthtokens") {
			return answers.RoundTrip(r)
		}
		d, fails := takes(r.URL.Query().Get("earlier_date"))
		clock.set(clock.Now().Add(d))
		if fails {
			return &http.Response{StatusCode: http.StatusGatewayTimeout, Body: http.NoBody}, nil
		}
		return answers.RoundTrip(r)
	})
}

// Catching up with an ABS that takes a sixth of the interval for each report neither starves a slot
// nor makes the exporter blind: within half an hour all slots of a day are read, then all are read
// again and again until they settle, and tokens are asked about as often as ever.
func TestCatchingUpWithASlowABS(t *testing.T) {
	t.Parallel()
	o := defaults()
	o.Lookback, o.MaxBackfill = 24*time.Hour, 48*time.Hour
	began := storyBegin.Add(24 * time.Hour)
	clock := &handClock{now: began}
	sim := simulator.New(simulator.Config{Seed: 3, Tokens: 5, Rate: 30, Begin: storyBegin, Now: clock.Now, Immediate: true})
	slow := slowABS(sim, clock, func(string) (time.Duration, bool) { return o.Interval / 6, false })
	r, err := newRig(o, time.UTC, abs.Exclusive, 0, clock, slow)
	if err != nil {
		t.Fatal(err)
	}
	var asked int64 // about tokens
	last := began   // when
	open := 0
	for at := began; at.Before(began.Add(6 * time.Hour)); at = at.Add(o.Interval) {
		r.cycle(at)
		since := at.Sub(began)
		if took := clock.Now().Sub(at); since > 0 && took >= o.Interval {
			t.Errorf("the cycle after %v took %v", since, took)
		}
		if n := sim.Stats().Calls["forensics"]; n > asked {
			asked, last = n, at
		} else if at.Sub(last) > o.Reread {
			t.Errorf("after %v no token has been asked about for %v", since, at.Sub(last))
		}
		open = 0
		for _, s := range r.ledger.Slots(clock.Now()) {
			switch {
			case s.State == ledger.Missed, s.State == ledger.Pending && since >= 30*time.Minute:
				t.Errorf("after %v the slot %v is %v", since, s.From, s.State)
			case s.State == ledger.Open:
				open++
			}
		}
	}
	if open > 6 {
		t.Errorf("%d slots are open in the end", open)
	}
	truth := sim.Truth(storyBegin, clock.Now().Truncate(time.Minute)).Requests
	if got := r.ledger.Requests(); got < truth*99/100 || got > truth {
		t.Errorf("counted %d, requested were %d", got, truth)
	}
}

// What comes near to --collect.max-backfill unread may use the whole interval, what does not may
// use half of it.
func TestUnreadSlotsNearMaxBackfill(t *testing.T) {
	t.Parallel()
	o := defaults()
	for lookback, want := range map[time.Duration]int{20 * time.Hour: 6, 11 * time.Hour: 3} {
		o.Lookback = lookback
		clock := &handClock{now: storyBegin}
		sim := simulator.New(simulator.Config{Seed: 3, Tokens: 5, Rate: 30, Begin: storyBegin.Add(-day), Now: clock.Now, Immediate: true})
		slow := slowABS(sim, clock, func(string) (time.Duration, bool) { return o.Interval / 6, false })
		r, err := newRig(o, time.UTC, abs.Exclusive, 0, clock, slow)
		if err != nil {
			t.Fatal(err)
		}
		r.cycle(storyBegin)
		n := 0
		for _, s := range r.ledger.Slots(clock.Now()) {
			if !s.To.After(storyBegin) && !s.Read.IsZero() {
				n++
			}
		}
		if n != want {
			t.Errorf("%d ended slots are read in the first cycle, %v back; want %d", n, lookback, want)
		}
	}
}

// Slots that fail, and take half of the interval or more for that, keep no other one from being
// read and from settling.
func TestFailingSlotsStarveNoOther(t *testing.T) {
	t.Parallel()
	o := defaults()
	for _, tt := range []struct {
		fail int // the first slots
		in   time.Duration
	}{{1, o.Interval/2 + time.Second}, {2, o.Interval/4 + time.Second}, {3, o.Interval}} {
		t.Run(fmt.Sprint(tt.fail, " in ", tt.in), func(t *testing.T) {
			clock := &handClock{now: storyBegin}
			sim := simulator.New(simulator.Config{Seed: 3, Tokens: 5, Rate: 30, Begin: storyBegin, Now: clock.Now, Immediate: true})
			failing := storyBegin.Truncate(o.Slot).Add(time.Duration(tt.fail) * o.Slot)
			slow := slowABS(sim, clock, func(from string) (time.Duration, bool) {
				if from < failing.Format("2006-01-02T15:04") && clock.Now().After(storyBegin.Add(2*o.Slot)) {
					return tt.in, true
				}
				return time.Second, false
			})
			r, err := newRig(o, time.UTC, abs.Exclusive, 0, clock, slow)
			if err != nil {
				t.Fatal(err)
			}
			for at := storyBegin; at.Before(storyBegin.Add(12 * time.Hour)); at = at.Add(o.Interval) {
				r.cycle(at)
				late := slices.DeleteFunc(r.ledger.Slots(clock.Now()), func(s ledger.SlotView) bool {
					age := clock.Now().Sub(s.To)
					onTime := s.State == ledger.Settled || age <= o.Settle+time.Hour && (s.State == ledger.Open || age <= 3*o.Reread)
					return s.From.Before(failing) || onTime
				})
				if len(late) > 0 {
					t.Fatalf("at %v these are late: %v", clock.Now(), late)
				}
			}
		})
	}
}
