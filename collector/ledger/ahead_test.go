package ledger

import (
	"testing"
	"time"
)

// aheadCase is a process that starts with a clock that is ahead, and is put right.
type aheadCase struct {
	before  time.Duration // counted before that process
	pause   time.Duration // before each process
	ahead   time.Duration
	wrong   time.Duration // for how long
	restart bool          // put right by another process, not in this one
}

// What is requested from the first start on is counted once, and of what was before it only what
// ABS adds: without or with a state.
func TestStartWithAClockAhead(tt *testing.T) {
	if testing.Short() {
		tt.Skip("simulates months")
	}
	var cases []aheadCase
	for _, before := range []time.Duration{0, time.Hour, 12 * time.Hour} {
		for _, pause := range []time.Duration{0, 40 * time.Minute, 6 * time.Hour} {
			for _, ahead := range []time.Duration{90 * time.Minute, 150 * time.Minute, 4 * time.Hour} {
				for _, wrong := range []time.Duration{2 * time.Minute, 90 * time.Minute, 4 * time.Hour} {
					cases = append(cases, aheadCase{before, pause, ahead, wrong, false}, aheadCase{before, pause, ahead, wrong, true})
				}
			}
		}
	}
	for _, c := range cases {
		c.run(tt)
	}
}

func (c *aheadCase) run(tt *testing.T) {
	tt.Helper()
	const late, requests = 12, 1500 // minutes until ABS has a request; one a minute
	t := newTimeline(10)
	t.start = t.start.Add(14 * time.Minute)
	t.now = t.start
	for m := -1000; m < requests; m++ {
		t.add(m, time.Duration(m+late)*time.Minute, of(1, "GET", 1))
	}
	began := c.before
	if began > 0 {
		t.until(began)
		began += c.pause
		t.restart(tt)
	}
	for d := began; d < 35*time.Hour; d += 2 * time.Minute {
		if c.restart && d == began+c.wrong {
			d += c.pause
			t.restart(tt)
		}
		clock := t.start.Add(d)
		if d < began+c.wrong {
			clock = clock.Add(c.ahead)
		}
		t.cycle(clock, t.start.Add(d))
	}
	got, missed := t.l.Requests(), t.l.health.missed.Value
	if got < requests || got > requests+late || missed != 0 {
		tt.Errorf("%+v: counted %d of %d, missed %d slots", *c, got, requests, missed)
	}
}

func (t *timeline) restart(tt *testing.T) {
	tt.Helper()
	var err error
	if t.l, err = Restore(t.l.c, t.l.State()); err != nil {
		tt.Fatal(err)
	}
}

// A clock is set back by twelve minutes, long after counting began: what was counted and is not
// remembered any more stays counted.
func TestClockBackLongAfterTheStart(tt *testing.T) {
	t := newTimeline(10)
	for m := range 20 * 60 {
		t.add(m, time.Duration(m+10)*time.Minute, of(1, "GET", 1))
	}
	t.until(19 * time.Hour)
	for d := 19 * time.Hour; d < 30*time.Hour; d += 2 * time.Minute {
		t.cycle(t.start.Add(d-12*time.Minute), t.start.Add(d))
	}
	t.wants(tt, 20*60)
}

// The clock falls back by any stretch while ABS's Date is right: the state that is saved then can
// be read by the next process, which goes on.
func TestStateOfAClockThatFellBack(tt *testing.T) {
	for _, back := range []time.Duration{time.Hour, 2 * 24 * time.Hour, 5 * 24 * time.Hour, 50 * 365 * 24 * time.Hour} {
		t := newTimeline(10)
		for m := range 9 * 60 {
			t.add(m, time.Duration(m+10)*time.Minute, of(1, "GET", 1))
		}
		t.until(6 * time.Hour)
		t.cycle(t.start.Add(6*time.Hour-back), t.start.Add(6*time.Hour))
		t.restart(tt)
		t.until(12 * time.Hour)
		t.wants(tt, 9*60)
	}
}
