package collector

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// steady adds n requests of one token a minute, and starts the exporter on them.
func steady(t *testing.T, o Options, minutes int, n int64) *story {
	t.Helper()
	s := newStory(t, simulator.Config{Seed: 1}, o, abs.Exclusive)
	for m := range minutes {
		s.sim.Add(simulator.Event{
			At: storyBegin.Add(time.Duration(m) * time.Minute), Token: "some-long-token-of-a-user",
			API: "shop", Device: "LINUX", IP: "10.0.0.1", N: n,
		})
	}
	return s
}

// What was served once stays served: the books of a story see to it.
func TestRestartWithOtherTimes(t *testing.T) {
	for name, change := range map[string]func(*story){
		"a longer interval":      func(s *story) { s.o.Interval, s.o.Reread = 30*time.Minute, 30*time.Minute },
		"the clock was set back": func(s *story) { s.clock.set(storyBegin.Add(-10 * time.Minute)) },
	} {
		t.Run(name, func(t *testing.T) {
			o := defaults()
			o.StateDir = t.TempDir()
			s := steady(t, o, 60, 3)
			s.until(22 * time.Minute)
			before := s.counted()
			change(s)
			s.restart()
			if before == 0 || s.counted() != before {
				t.Errorf("served %d, after the restart %d", before, s.counted())
			}
		})
	}
}

// Series that begin after a restart have what was counted since, not before.
func TestRestartWithMoreSeries(t *testing.T) {
	long(t)
	for name, tt := range map[string]struct {
		before, after func(*Options)
		family        *metrics.Family
	}{
		"a dimension more": {func(o *Options) { o.Dimensions = []counts.Dimension{counts.Method} }, func(o *Options) { o.Dimensions = []counts.Dimension{counts.Method, counts.API} }, metrics.TokenAPIRequests},
		"IPs":              {func(o *Options) { o.Dimensions = []counts.Dimension{counts.Method} }, func(o *Options) { o.Dimensions = []counts.Dimension{counts.Method, counts.IP} }, metrics.TokenIPRequests},
		"tokens at all":    {func(o *Options) { o.MaxTokens = 0 }, func(o *Options) { o.MaxTokens = 10 }, metrics.TokenRequests},
	} {
		t.Run(name, func(t *testing.T) {
			o := defaults()
			o.StateDir = t.TempDir()
			tt.before(&o)
			s := steady(t, o, 600, 3)
			s.until(5 * time.Hour)
			before := s.counted()
			tt.after(&s.o)
			s.restart()
			s.until(6 * time.Hour)
			rose := s.counted() - before
			if got := s.books.sum(tt.family); got > rose || got == 0 {
				t.Errorf("the total rose by %d, %s by %d", rose, tt.family.Name, got)
			}
		})
	}
}

// Tokens that find no index after the restart leave nothing behind that nobody has seen.
func TestRestartWithFewerTokens(t *testing.T) {
	long(t)
	for at := 12 * time.Minute; at <= 30*time.Minute; at += 2 * time.Minute {
		o := defaults()
		o.StateDir = t.TempDir()
		o.Forensics = false
		s := newStory(t, simulator.Config{Seed: 1}, o, abs.Exclusive)
		for m := range 90 {
			for token := range 20 {
				if m >= token {
					s.sim.Add(simulator.Event{
						At: storyBegin.Add(time.Duration(m) * time.Minute), Token: fmt.Sprint("some-long-token-of-user-", token),
						API: "shop", Device: "LINUX", IP: "10.0.0.1", N: 3,
					})
				}
			}
		}
		s.until(at)
		s.o.MaxTokens = 1
		s.restart()
		s.until(6 * time.Hour)
		if s.counted() != s.truth() {
			t.Errorf("counted %d of %d", s.counted(), s.truth())
		}
		for _, f := range []*metrics.Family{metrics.TokenRequests, metrics.TokenMethodRequests} {
			if got := s.books.sum(f); got != s.counted() {
				t.Errorf("restarted after %v: %s adds up to %d of %d", at, f.Name, got, s.counted())
			}
		}
	}
}

// In another zone the same windows are other requests.
func TestRestartInAnotherZone(t *testing.T) {
	long(t)
	o := defaults()
	o.StateDir = t.TempDir()
	o.Audit = 6 * time.Hour
	o.Forensics = false
	s := steady(t, o, 60*24, 3)
	s.until(12 * time.Hour)
	var err error
	if s.rig, err = newRig(s.o, time.FixedZone("six hours ahead", 6*3600), s.end, 0, s.clock, s.sim.Transport()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.log.String(), "time zone or window end changed") {
		t.Errorf("the log does not say so: %s", s.log)
	}
	before := s.counted()
	s.until(12*time.Hour + 30*time.Minute)
	if rose := s.counted() - before; rose > 3*60 {
		t.Errorf("the change of zone counted %d requests in half an hour of 90", rose)
	}
	s.until(20 * time.Hour)
	if strings.Contains(s.log.String(), "audit found") {
		t.Errorf("the audit compared two zones: %s", s.log)
	}
}

// The clock runs three days ahead, and is put right: counting goes on.
func TestClockRanAhead(t *testing.T) {
	o := defaults()
	o.Forensics = false
	s := steady(t, o, 600, 3)
	s.until(time.Hour)
	s.cycle(storyBegin.Add(72 * time.Hour))
	s.clock.set(storyBegin.Add(62 * time.Minute))
	s.until(15 * time.Hour)
	// What was in the slots that were open then is given up, as it was three days old.
	if n := s.counted(); n < 3*(600-240) || n > 3*600 {
		t.Errorf("counted %d of 1800", n)
	}
}

// timingOut answers nothing that covers some minutes, and the rest at once.
type timingOut struct {
	clock *handClock
	bad   ledger.Span
	err   error
}

func (a *timingOut) Tokens(_ context.Context, w abs.Window, _ func(*abs.Row) error) (abs.Summary, error) {
	if w.From.Before(a.bad.To) && w.To.After(a.bad.From) {
		a.clock.set(a.clock.Now().Add(time.Minute))
		return abs.Summary{}, a.err
	}
	return abs.Summary{HasSummary: true, Bytes: 100}, nil
}

func (*timingOut) Forensics(context.Context, abs.Window, []byte) (abs.Forensics, error) {
	return abs.Forensics{}, nil
}

// Ten minutes that cannot be read do not keep the others waiting.
func TestTimeOutsStarveNobody(t *testing.T) {
	o := defaults()
	o.Forensics = false
	clock := &handClock{now: storyBegin}
	r, err := newRig(o, time.UTC, abs.Exclusive, 0, clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.ABS = &timingOut{
		clock: clock, bad: ledger.Span{From: storyBegin, To: storyBegin.Add(10 * time.Minute)},
		err: &abs.Error{Report: "oauthtokens", Reason: abs.ReasonTimeout},
	}
	for at := storyBegin; at.Before(storyBegin.Add(20 * time.Hour)); {
		r.cycle(at)
		at = clock.Now().Add(wait(at, clock.Now(), o.Interval))
	}
	pending := 0
	for _, s := range r.ledger.Slots(clock.Now()) {
		if s.State == ledger.Pending {
			pending++
		}
	}
	if pending == 0 || pending > 3 {
		t.Errorf("%d slots are pending after 20 hours, for 10 bad minutes", pending)
	}
}

// saves records at each commit whether the state was written anew.
type saves struct {
	*rig
	last  os.FileInfo
	wrote []bool
}

func (s *saves) Publish(target string, snapshot *metrics.Snapshot) {
	s.rig.Publish(target, snapshot)
	now, err := os.Stat(s.state.path)
	s.wrote = append(s.wrote, err == nil && (s.last == nil || !os.SameFile(s.last, now)))
	s.last = now
}

// What is saved already is not written again; what forensics found is.
func TestSavesWhatChanged(t *testing.T) {
	for _, tt := range []struct {
		name      string
		forensics bool
		want      []bool // after the slots, after the window, after forensics
	}{
		{"nothing after the slots", false, []bool{true, false, false}},
		{"forensics asked", true, []bool{true, false, true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := defaults()
			o.StateDir, o.Forensics = t.TempDir(), tt.forensics
			s := newStory(t, simulator.Config{Seed: 1, Tokens: 5, Immediate: true}, o, abs.Exclusive)
			s.until(18 * time.Minute) // the window is read again in the cycle after this
			watch := &saves{rig: s.rig}
			if watch.last, _ = os.Stat(s.state.path); watch.last == nil {
				t.Fatal("nothing was saved")
			}
			s.publisher = watch
			s.cycle(storyBegin.Add(20 * time.Minute))
			if !slices.Equal(watch.wrote, tt.want) {
				t.Errorf("the commits of a cycle wrote %v, want %v", watch.wrote, tt.want)
			}
		})
	}
}

// Where counting began is kept for good: what backfill writes ends there.
func TestCountingStart(t *testing.T) {
	o := defaults()
	o.StateDir, o.Lookback = t.TempDir(), 90*time.Minute
	if start, err := CountingStart(o.StateDir, "t", testKey); err != nil || start != (ledger.Start{}) {
		t.Errorf("without a state: %v, %v", start, err)
	}
	s := steady(t, o, 60, 3)
	s.until(10 * time.Minute)
	s.o.Lookback = 0
	s.restart()
	s.until(3 * time.Hour)
	want := ledger.Start{From: storyBegin.Add(-90 * time.Minute), Began: storyBegin}
	if start, err := CountingStart(o.StateDir, "t", testKey); err != nil || !start.From.Equal(want.From) || !start.Began.Equal(want.Began) {
		t.Errorf("after a restart: %v, %v; want %v", start, err, want)
	}
	if _, err := CountingStart(o.StateDir, "t", testKey[1:]); err == nil || !strings.Contains(err.Error(), "another token key") {
		t.Errorf("with another key: %v", err)
	}
}
