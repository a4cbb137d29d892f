package ledger

import (
	"testing"
	"time"
)

// timeline drives a ledger through an ABS that holds events.
type timeline struct {
	*world
	l       *Ledger
	now     time.Time
	date    func(now time.Time) time.Time // ABS's clock
	nothing bool                          // answers have neither a summary nor rows
}

func newTimeline(maxTokens int) *timeline {
	w := &world{location: time.UTC, maxTokens: maxTokens, byMinute: map[int64][]event{}, start: at("2026-11-23T10:00Z")}
	w.rng = newWorld(1).rng
	return &timeline{world: w, l: w.ledger(), now: w.start, date: func(now time.Time) time.Time { return now }}
}

// add adds requests of a minute that ABS reports from a time on.
func (t *timeline) add(minute int, visible time.Duration, e event) {
	e.at, e.from = t.start.Add(time.Duration(minute)*time.Minute), t.start.Add(visible)
	t.byMinute[e.at.Unix()] = append(t.byMinute[e.at.Unix()], e)
}

// cycle is one at a time of the exporter's clock; ABS lives in true time.
func (t *timeline) cycle(clock, truth time.Time) {
	t.l.Advance(clock, 2*time.Minute)
	for _, j := range t.l.Due(clock) {
		r := t.l.Begin(j, clock)
		t.l.SawABS(t.date(truth))
		if t.nothing {
			t.l.ApplyNothing(r)
			continue
		}
		add(r, t.report(j.Span, truth))
		t.l.Apply(r, 0)
	}
	t.l.Close()
	t.l.Stage(clock, clock)
	t.l.Published()
}

func (t *timeline) until(d time.Duration) {
	for ; t.now.Before(t.start.Add(d)); t.now = t.now.Add(2 * time.Minute) {
		t.cycle(t.now, t.now)
	}
}

func (t *timeline) wants(tt *testing.T, requests int64) {
	tt.Helper()
	if got := t.l.Requests(); got != requests {
		tt.Errorf("%d requests counted, want %d", got, requests)
	}
	if n := t.l.health.missed.Value; n != 0 {
		tt.Errorf("%d slots missed", n)
	}
}

// ABS is down for five hours and works nothing through, while logs go on; it does so within half an
// hour of its return.
func TestBacklogAfterAnOutage(tt *testing.T) {
	t := newTimeline(10)
	const down, up = 2 * time.Hour, 7 * time.Hour
	for m := range 720 {
		visible := time.Duration(m+10) * time.Minute
		if visible >= down && visible < up {
			visible = up + (visible-down)/10
		}
		t.add(m, visible, of(1, "GET", 3))
	}
	t.until(down)
	for ; t.now.Before(t.start.Add(up)); t.now = t.now.Add(2 * time.Minute) {
		t.l.Advance(t.now, 2*time.Minute)
		for _, j := range t.l.Due(t.now) {
			t.l.Discard(t.l.Begin(j, t.now))
			t.l.Failed(j, Unavailable)
		}
		t.l.Close()
	}
	t.until(20 * time.Hour)
	t.wants(tt, 2160)
}

// The feed stands still for six hours. What was late when it stopped comes with the backlog, too.
func TestStalledFeed(tt *testing.T) {
	t := newTimeline(10)
	const stops, goesOn = 3 * time.Hour, 9 * time.Hour
	var want int64
	for m := range 720 {
		for i, delay := range []time.Duration{10, 55} {
			visible := time.Duration(m)*time.Minute + delay*time.Minute
			if visible >= stops && visible < goesOn {
				visible = goesOn + (visible-stops)/12
			}
			t.add(m, visible, of(1, "GET", int64(i+1)))
			want += int64(i + 1)
		}
	}
	t.until(20 * time.Hour)
	t.wants(tt, want)
}

// ABS answers with empty reports for twenty minutes, which begin when a slot can be settled. Its
// readings had failed until then, or the last one was hours ago.
func TestEmptyAnswersOfAnOutage(tt *testing.T) {
	for name, fails := range map[string]time.Duration{"never read": 0, "read before": 20 * time.Minute} {
		t := newTimeline(10)
		for m := range 720 {
			t.add(m, time.Duration(m+10)*time.Minute, of(1, "GET", 1))
		}
		slot := Span{From: t.start.Add(3 * time.Hour), To: t.start.Add(3*time.Hour + 30*time.Minute)}
		settles := slot.To.Add(t.l.c.Settle)
		for ; t.now.Before(t.start.Add(20 * time.Hour)); t.now = t.now.Add(2 * time.Minute) {
			t.l.Advance(t.now, 2*time.Minute)
			for _, j := range t.l.Due(t.now) {
				r := t.l.Begin(j, t.now)
				switch {
				case j.From.Equal(slot.From) && !t.now.Before(slot.From.Add(fails)) && t.now.Before(settles):
					t.l.Discard(r)
					t.l.Failed(j, Unavailable)
					continue
				case t.now.Before(settles) || !t.now.Before(settles.Add(20*time.Minute)):
					add(r, t.report(j.Span, t.now))
				}
				t.l.Apply(r, 0)
			}
			t.l.Close()
			t.l.Stage(t.now, t.now)
			t.l.Published()
		}
		if got := t.l.Requests(); got != 720 {
			tt.Errorf("%s: %d requests counted, want 720", name, got)
		}
	}
}

// Slots without requests settle as early where each cycle is followed by a restart.
func TestEmptySlotsSettleAcrossRestarts(tt *testing.T) {
	readings := func(restart bool) uint64 {
		t := newTimeline(10)
		for m := range 19 * 60 {
			if m/30%4 != 0 { // one slot of four is empty
				t.add(m, time.Duration(m+10)*time.Minute, of(1, "GET", 1))
			}
		}
		for hours := time.Duration(0); hours < 20*time.Hour; hours += 2 * time.Minute {
			t.until(hours)
			if restart {
				t.restart(tt)
			}
		}
		t.wants(tt, 840)
		return t.l.readings
	}
	if got, want := readings(true), readings(false); got != want {
		tt.Errorf("%d readings with restarts, %d without", got, want)
	}
}

// The clock is three hours ahead for one cycle.
func TestClockAheadForACycle(tt *testing.T) {
	t := newTimeline(10)
	for m := range 720 {
		t.add(m, time.Duration(m+50)*time.Minute, of(1, "GET", 1))
	}
	t.until(5 * time.Hour)
	t.cycle(t.now.Add(3*time.Hour), t.now)
	t.now = t.now.Add(2 * time.Minute)
	t.until(20 * time.Hour)
	t.wants(tt, 720)
}

// The clock is a day behind for an hour. Without the guard, the slots that are counted go, and are
// counted again when it is put right.
func TestClockBehindForAWhile(tt *testing.T) {
	t := newTimeline(10)
	for m := -1000; m < 720; m++ {
		t.add(m, time.Duration(m+10)*time.Minute, of(1, "GET", 1))
	}
	t.until(5 * time.Hour)
	for range 30 {
		t.cycle(t.now.Add(-24*time.Hour), t.now)
		t.now = t.now.Add(2 * time.Minute)
	}
	t.until(20 * time.Hour)
	t.wants(tt, 720+9) // and nine minutes that ABS had only after the start
}

// Counting begins with a clock that is wrong and put right after an hour: what was requested since
// is counted, and nothing that was before.
func TestFirstStartWithAWrongClock(tt *testing.T) {
	for _, wrong := range []time.Duration{3*time.Hour + 30*time.Minute, -24 * time.Hour} {
		t := newTimeline(10)
		for m := -2000; m < 720; m++ {
			t.add(m, time.Duration(m+1)*time.Minute, of(1, "GET", 1))
		}
		for range 30 {
			t.cycle(t.now.Add(wrong), t.now)
			t.now = t.now.Add(2 * time.Minute)
		}
		before := t.l.Requests()
		t.until(20 * time.Hour)
		tt.Logf("%v ahead: %d counted meanwhile", wrong, before)
		if got := t.l.Requests() - before; got < 718 || got > 722 {
			tt.Errorf("%v ahead: %d requests counted since it was put right, want 720", wrong, got)
		}
	}
}

// An answer with neither summary nor rows settles nothing.
func TestNothingSettlesNothing(tt *testing.T) {
	t := newTimeline(10)
	for m := range 720 {
		t.add(m, time.Duration(m+10)*time.Minute, of(1, "GET", 1))
	}
	t.until(time.Hour)
	t.nothing = true
	t.until(6 * time.Hour)
	t.nothing = false
	t.until(20 * time.Hour)
	t.wants(tt, 720)
}

// Slots without proof are read once an hour at most, until new requests arrive anywhere.
func TestBackOff(tt *testing.T) {
	t := newTimeline(10)
	for m := range 60 {
		t.add(m, time.Duration(m+10)*time.Minute, of(1, "GET", 1))
	}
	t.until(12 * time.Hour)
	readings, slots := t.l.readings, 0
	for _, s := range t.l.slots {
		if s.state == Open {
			slots++
		}
	}
	t.until(15 * time.Hour)
	// The running slot is read in every cycle, one that has just ended as often as before.
	if got := int(t.l.readings-readings) - 90 - 6*12; got > 4*slots {
		tt.Errorf("%d slots without proof were read %d times in three hours", slots, got)
	}
	t.until(30 * time.Hour)
	if n := t.l.health.unproven.Value; n == 0 {
		tt.Error("no slot was closed as unproven")
	}
	t.wants(tt, 60)
}

// A token whose requests come 45 minutes late gets a free index, though no newest slot ever has it.
func TestLateTokenGetsAFreeIndex(tt *testing.T) {
	t := newTimeline(1000)
	for m := range 720 {
		t.add(m, time.Duration(m+1)*time.Minute, of(1, "GET", 1))
		t.add(m, time.Duration(m+45)*time.Minute, of(2, "GET", 3))
	}
	t.until(20 * time.Hour)
	t.wants(tt, 720+2160)
	if got := t.l.other.Total.Value; got != 0 {
		tt.Errorf("%d requests were counted under other", got)
	}
}

// Where no token has series, none is beyond the limit.
func TestNoTokensAreNoOverflow(tt *testing.T) {
	t := newTimeline(0)
	t.add(1, 10*time.Minute, of(1, "GET", 5))
	t.until(time.Hour)
	t.wants(tt, 5)
	if n := t.l.health.overflow["token"].Value; n != 0 {
		tt.Errorf("the overflow is %d", n)
	}
}
