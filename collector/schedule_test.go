package collector

import (
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
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
