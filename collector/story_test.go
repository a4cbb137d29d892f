package collector

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/metrics"
)

var storyBegin = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// story is an ABS with some steady traffic and an exporter on it.
type story struct {
	*rig
	t     testing.TB
	sim   *simulator.Simulator
	books *books
	o     Options
	end   abs.WindowEnd
	clock *handClock
	as    []func(*abs.Config, *Target)
}

func newStory(tb testing.TB, config simulator.Config, o Options, end abs.WindowEnd, as ...func(*abs.Config, *Target)) *story {
	tb.Helper()
	s := &story{t: tb, o: o, end: end, as: as, clock: &handClock{now: storyBegin}, books: newBooks()}
	if config.Now == nil {
		config.Now = s.clock.Now
	}
	if config.Tokens > 0 {
		config.Begin = storyBegin
	}
	if config.Rate == 0 {
		config.Rate = 30
	}
	s.sim = simulator.New(config)
	s.restart()
	return s
}

func (s *story) restart() {
	s.t.Helper()
	var err error
	if s.rig, err = newRig(s.o, time.UTC, s.end, 0, s.clock, s.sim.Transport(), s.as...); err != nil {
		s.t.Fatal(err)
	}
	s.enter()
}

func (s *story) enter() {
	s.t.Helper()
	if err := s.books.enter(s.last); err != nil {
		s.t.Fatalf("%v: %v", s.clock.Now(), err)
	}
}

// until runs the cycles up to a time after the beginning.
func (s *story) until(d time.Duration) {
	s.t.Helper()
	for at := s.clock.Now(); !at.After(storyBegin.Add(d)); at = at.Add(s.o.Interval) {
		s.cycle(at)
		s.enter()
	}
}

// shows holds lines of the exposition against what is wanted; a line without a value
// must be absent.
func (s *story) shows(want ...string) {
	s.t.Helper()
	lines := s.scrape(s.t)
	for _, w := range want {
		if strings.Contains(w, " ") && !slices.Contains(lines, w) {
			s.t.Errorf("after %v: missing %s", s.clock.Now().Sub(storyBegin), w)
			for _, line := range lines {
				if name, _, _ := strings.Cut(w, "{"); strings.HasPrefix(line, name+"{") {
					s.t.Logf("    there is %s", line)
				}
			}
		}
		if !strings.Contains(w, " ") && slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, w+"{") }) {
			s.t.Errorf("after %v: %s is still there", s.clock.Now().Sub(storyBegin), w)
		}
	}
}

func (s *story) counted() int64 { return s.books.value(metrics.Requests) }

// settledTruth is what was requested in slots that must have been counted by now.
func (s *story) truth() int64 { return s.sim.Truth(storyBegin, s.clock.Now()).Requests }

func TestSeams(t *testing.T) {
	for _, tt := range []struct {
		name     string
		abs, set abs.WindowEnd
		advice   string
	}{
		{"exclusive, as set", abs.Exclusive, abs.Exclusive, ""},
		{"inclusive, as set", abs.Inclusive, abs.Inclusive, ""},
		{"inclusive, set exclusive", abs.Inclusive, abs.Exclusive, "set --abs.window-end=inclusive"},
		{"exclusive, set inclusive", abs.Exclusive, abs.Inclusive, "set --abs.window-end=exclusive"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := defaults()
			s := newStory(t, simulator.Config{Seed: 1, InclusiveEnd: tt.abs == abs.Inclusive}, o, tt.set)
			for m := -600; m < 0; m++ {
				s.sim.Add(simulator.Event{At: storyBegin.Add(time.Duration(m) * time.Minute), Token: "some-long-token-of-a-user", N: 3})
			}
			s.until(10 * time.Minute)
			log := s.log.String()
			if tt.advice == "" && strings.Contains(log, "do not add up") {
				t.Errorf("a needless warning: %s", log)
			}
			if tt.advice != "" && strings.Count(log, tt.advice) != 1 {
				t.Errorf("the log does not advise once: %s\n%s", tt.advice, log)
			}
		})
	}
}

// A day on, ABS reports requests that no slot could wait for.
func TestAuditCountsWhatCameTooLate(t *testing.T) {
	long(t)
	o := defaults()
	o.Audit = 6 * time.Hour
	o.Forensics = false
	s := newStory(t, simulator.Config{Seed: 2, Tokens: 5, Delay: 5 * time.Minute}, o, abs.Exclusive)
	s.sim.Add(simulator.Event{At: storyBegin.Add(70 * time.Minute), VisibleFrom: storyBegin.Add(5 * time.Hour), Token: "a-token-that-came-too-late", N: 17})
	s.until(5*time.Hour + 30*time.Minute)
	early := s.counted()
	for at := 6 * time.Hour; at < 13*time.Hour; at += 20 * time.Minute {
		s.until(at)
	}
	if !strings.Contains(s.log.String(), "requests=17") {
		t.Errorf("the audit's log does not have 17 requests: %s", s.log)
	}
	other := s.books.value(metrics.TokenRequests, "_other")
	if early == 0 || other != 17 {
		t.Errorf("counted %d, then under _other %d; 17 wanted", early, other)
	}
	// The audit that found them says so; the next finds nothing.
	s.until(26 * time.Hour)
	s.shows(`abs_exporter_audit_missing_requests{target="t"} 0`, `abs_exporter_audit_surplus_requests{target="t"} 0`)
	if strings.Count(s.log.String(), "audit found") != 1 {
		t.Errorf("the same requests were found again: %s", s.log)
	}
}

// ABS is away for five hours: nothing is lost, and the metrics show what is to do.
func TestCatchUp(t *testing.T) {
	o := defaults()
	o.Forensics = false
	s := newStory(t, simulator.Config{Seed: 3, Tokens: 5, Delay: 5 * time.Minute, End: storyBegin.Add(9 * time.Hour)}, o, abs.Exclusive)
	if err := s.sim.SetFaults(simulator.Fault{Kind: "status", Code: 503, From: storyBegin.Add(time.Hour), To: storyBegin.Add(6 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	s.until(59 * time.Minute)
	s.shows(`abs_exporter_slots{state="pending",target="t"} 0`, `abs_up{target="t"} 1`)
	s.until(5*time.Hour + 58*time.Minute)
	s.shows(`abs_exporter_slots{state="pending",target="t"} 10`, `abs_up{target="t"} 0`, "abs_window_seconds", "abs_token_window_requests")
	s.until(6 * time.Hour)
	s.shows(`abs_exporter_slots{state="pending",target="t"} 0`, `abs_up{target="t"} 1`, `abs_exporter_missed_slots_total{target="t"} 0`)
	s.until(14 * time.Hour)
	if s.counted() != s.truth() {
		t.Errorf("counted %d of %d", s.counted(), s.truth())
	}
}

// Alerts on rates are held back while slots are pending, so none may be in normal running: neither
// where slots are cut, nor between the end of a slot and its next reading.
func TestNothingIsPendingInNormalRunning(t *testing.T) {
	long(t)
	for _, responseCap := range []int64{0, 12000} {
		o := defaults()
		o.Forensics = false
		s := newStory(t, simulator.Config{Seed: 6, Tokens: 20, Delay: 5 * time.Minute, ResponseCap: responseCap}, o, abs.Exclusive,
			func(_ *abs.Config, t *Target) { t.ResponseCap = max(responseCap, 1e6) })
		s.until(3 * time.Hour) // until slots are cut
		cut := 0
		for d := 3 * time.Hour; d < 8*time.Hour; d += o.Interval {
			s.until(d)
			for _, later := range []time.Duration{0, o.Interval} {
				for _, slot := range s.ledger.Slots(s.clock.Now().Add(later)) {
					if slot.State == ledger.Pending {
						t.Errorf("cap %d, after %v: the slot that ended at %v is pending", responseCap, d+later, slot.To)
					}
				}
			}
			if len(s.ledger.Due(s.clock.Now().Add(time.Hour))) > len(s.ledger.Slots(s.clock.Now())) {
				cut++
			}
		}
		if (cut > 0) != (responseCap > 0) {
			t.Errorf("cap %d: slots are cut %d times", responseCap, cut)
		}
	}
}

// The exporter is away for longer than --collect.max-backfill: what lies too far back
// is logged, the rest is made up.
func TestMissedSlots(t *testing.T) {
	long(t)
	o := defaults()
	o.Forensics = false
	o.StateDir = t.TempDir()
	s := newStory(t, simulator.Config{Seed: 4, Tokens: 5, Delay: 5 * time.Minute, End: storyBegin.Add(30 * time.Hour)}, o, abs.Exclusive)
	s.until(time.Hour)
	s.clock.set(storyBegin.Add(30 * time.Hour))
	s.restart()
	s.shows(`abs_exporter_missed_slots_total{target="t"} 0`) // for a Prometheus to see that it rises
	s.until(30 * time.Hour)                                  // one cycle: slots are missed, and the former value is still exposed
	s.shows(`abs_exporter_missed_slots_total{target="t"} 0`)
	unproven := int(s.books.value(metrics.UnprovenSlots))
	s.until(40 * time.Hour)
	s.shows(fmt.Sprintf(`abs_exporter_missed_slots_total{target="t"} %d`, s.books.value(metrics.MissedSlots)))
	// The slots that ended more than a day before 30:00: those ending at 1:00 (still open
	// then), 1:30, … 5:30, and three before the start, open still at 1:00.
	missed := 0
	for end := -90 * time.Minute; end < 6*time.Hour; end += 30 * time.Minute {
		missed++
	}
	lost := s.sim.Truth(storyBegin, storyBegin.Add(6*time.Hour)).Requests
	// Of these, the ones that ended by 1:00 were read since their end.
	if got := int(s.books.value(metrics.MissedSlots)); got != 9 || got+unproven > missed || got+unproven < 10 {
		t.Errorf("%d slots missed and %d unproven, 9 and about %d wanted", got, unproven, missed-9)
	}
	if n := s.counted(); n < s.truth()-lost || n > s.truth() {
		t.Errorf("counted %d of %d, of which %d lay too far back", n, s.truth(), lost)
	}
}

// The disk is full: the counters stand still, the gauges go on, nothing is lost.
func TestStateCannotBeSaved(t *testing.T) {
	o := defaults()
	o.StateDir = t.TempDir()
	s := newStory(t, simulator.Config{Seed: 5, Tokens: 5, Delay: 5 * time.Minute, End: storyBegin.Add(3 * time.Hour)}, o, abs.Exclusive)
	s.until(90 * time.Minute)
	before, good := s.counted(), s.state.path
	s.state.path = filepath.Join(o.StateDir, "gone", "counters.state")
	s.until(3 * time.Hour)
	if s.counted() != before || before == 0 {
		t.Errorf("counters moved from %d to %d while nothing could be saved", before, s.counted())
	}
	s.shows(`abs_window_tokens{target="t"} 5`)
	failures := 0
	for _, line := range s.scrape(t) {
		if strings.HasPrefix(line, "abs_exporter_state_save_failures_total") && !strings.HasSuffix(line, " 0") {
			failures++
		}
	}
	if failures != 1 || !strings.Contains(s.log.String(), "the exposed counters stand still") {
		t.Errorf("the metric or the log does not have it: %s", s.log)
	}
	cycles := int(90*time.Minute/o.Interval) + 1
	if n := strings.Count(s.log.String(), `msg="state not saved"`); n != cycles {
		t.Errorf("logged %d times in %d cycles: %s", n, cycles, s.log)
	}
	s.state.path = good
	s.until(8 * time.Hour)
	if n := strings.Count(s.log.String(), `msg="state saved again"`); n != 1 {
		t.Errorf("the end is logged %d times: %s", n, s.log)
	}
	if s.counted() != s.truth() {
		t.Errorf("counted %d of %d", s.counted(), s.truth())
	}
}

// Forensics fails for longer than an attack lasts, though not for longer than the window: it does
// not end before ABS says so, and is not detected twice.
func TestFailedForensicsEndsNothing(t *testing.T) {
	o := defaults()
	o.StateDir = t.TempDir()
	s := newStory(t, simulator.Config{Seed: 6, Tokens: 3}, o, abs.Exclusive)
	token := "explicit-token-under-attack"
	for m := range 600 {
		s.sim.Add(simulator.Event{At: storyBegin.Add(time.Duration(m) * time.Minute), Token: token, API: "shop"})
	}
	s.sim.AddAttack(simulator.Attack{
		Token: token, Type: "Data Poisoning Attack", APIs: []string{"shop"},
		From: storyBegin.Add(5 * time.Minute), To: storyBegin.Add(3 * time.Hour),
	})
	attack := `abs_token_attack_active{target="t",token="` + testKey.ID([]byte(token)).String() + `",attack_type="Data Poisoning Attack",api="shop"} 1`
	detections := `abs_attack_detections_total{target="t",attack_type="Data Poisoning Attack",api="shop"} 1`
	s.until(30 * time.Minute)
	s.shows(attack, detections, `abs_flagged_tokens{target="t"} 1`)
	if err := s.sim.SetFaults(simulator.Fault{Report: "forensics", Kind: "status", Code: 500}); err != nil {
		t.Fatal(err)
	}
	s.until(2 * time.Hour)
	s.shows(attack, detections)
	s.restart()
	s.until(3*time.Hour + 20*time.Minute) // the last answer is nearly as old as the window
	s.shows(attack, detections, `abs_flagged_tokens{target="t"} 1`)
	if err := s.sim.SetFaults(); err != nil {
		t.Fatal(err)
	}
	s.until(5 * time.Hour)
	s.shows(attack, detections)
	s.until(7 * time.Hour)
	s.shows("abs_token_attack_active", detections, `abs_flagged_tokens{target="t"} 0`)
	log := s.log.String()
	if strings.Contains(log, "attack began") || strings.Count(log, "attack ended") != 1 {
		t.Errorf("after the restart: a detection too many, or no end: %s", log)
	}
}

// Forensics fails for longer than the window: nobody knows who is flagged, so what was has ended,
// and what is then counts anew. With an ABS that was never reached, nobody knows either.
func TestUnknownAfterTheWindow(t *testing.T) {
	s := newStory(t, simulator.Config{Seed: 6, Tokens: 3}, defaults(), abs.Exclusive)
	token := "explicit-token-with-an-attack"
	for m := range 600 {
		s.sim.Add(simulator.Event{At: storyBegin.Add(time.Duration(m) * time.Minute), Token: token, API: "shop"})
	}
	s.sim.AddAttack(simulator.Attack{
		Token: token, Type: "Data Poisoning Attack", APIs: []string{"shop"},
		From: storyBegin.Add(5 * time.Minute), To: storyBegin.Add(9 * time.Hour),
	})
	s.shows("abs_flagged_tokens", "abs_attack_tokens")
	s.until(30 * time.Minute)
	s.shows(`abs_flagged_tokens{target="t"} 1`)
	if err := s.sim.SetFaults(simulator.Fault{Kind: "status", Code: 500}); err != nil {
		t.Fatal(err)
	}
	s.until(4 * time.Hour)
	s.shows("abs_flagged_tokens", "abs_attack_tokens", "abs_anomaly_tokens", "abs_token_attack_active", "abs_window_tokens")
	if err := s.sim.SetFaults(); err != nil {
		t.Fatal(err)
	}
	s.until(5 * time.Hour)
	s.shows(`abs_flagged_tokens{target="t"} 1`, `abs_attack_detections_total{target="t",attack_type="Data Poisoning Attack",api="shop"} 2`)
}

// A token that the window no longer holds is no longer flagged.
func TestTokenLeavesWindow(t *testing.T) {
	s := newStory(t, simulator.Config{Seed: 7, Tokens: 3}, defaults(), abs.Exclusive)
	s.sim.Add(simulator.Event{At: storyBegin.Add(time.Minute), Token: "explicit-token-seen-once", API: "shop"})
	s.sim.AddAttack(simulator.Attack{Token: "explicit-token-seen-once", Type: "Sequence Attack", From: storyBegin})
	s.until(30 * time.Minute)
	s.shows(`abs_flagged_tokens{target="t"} 1`, `abs_attack_tokens{target="t",attack_type="Sequence Attack",api="all"} 1`)
	s.until(4 * time.Hour)
	s.shows(`abs_flagged_tokens{target="t"} 0`, `abs_attack_tokens{target="t",attack_type="Sequence Attack",api="all"} 0`, "abs_token_attack_active")
}

func TestStateFilePowerCut(t *testing.T) {
	o := defaults()
	o.StateDir = t.TempDir()
	s := newStory(t, simulator.Config{Seed: 8, Tokens: 20, Delay: 5 * time.Minute}, o, abs.Exclusive)
	s.until(2 * time.Hour)
	whole, err := os.ReadFile(s.state.path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decodeBytes(whole); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if _, err := decodeBytes(whole[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes were taken for a state", n, len(whole))
		}
	}
	if _, err := decodeBytes(append(slices.Clone(whole), 0)); err == nil {
		t.Error("a byte too many was not noticed")
	}
	step := max(1, len(whole)/5000)
	for i := 0; i < len(whole); i++ {
		if i > stateHeader && i%step != 0 {
			continue
		}
		changed := slices.Clone(whole)
		changed[i] ^= 1 << (i % 8)
		if _, err := decodeBytes(changed); err == nil {
			t.Fatalf("a change of byte %d was not noticed", i)
		}
	}
	// What is refused is left as it is, for people to look at.
	damaged := whole[:len(whole)/2]
	if err := os.WriteFile(s.state.path, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = newRig(o, time.UTC, abs.Exclusive, 0, s.clock, s.sim.Transport())
	if err == nil || !strings.Contains(err.Error(), s.state.path) || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("half a state was not refused by name: %v", err)
	}
	if left, err := os.ReadFile(s.state.path); err != nil || !slices.Equal(left, damaged) {
		t.Errorf("the refused state was changed: %v", err)
	}
	for version, says := range map[byte]string{
		2: "it has version 2 and this abs-exporter reads version 3: run the abs-exporter that wrote it",
		4: "it has version 4 and this abs-exporter reads version 3: run the abs-exporter that wrote it, or a newer one",
	} {
		other := slices.Clone(whole)
		other[len(stateMagic)+3] = version
		if _, err := decodeBytes(other); err == nil || err.Error() != says {
			t.Errorf("version %d: %v", version, err)
		}
	}
}

func TestStateHoldsNoToken(t *testing.T) {
	o := defaults()
	o.StateDir = t.TempDir()
	s := newStory(t, simulator.Config{Seed: 9, Tokens: 20, Delay: 5 * time.Minute, AttackEvery: 10 * time.Minute}, o, abs.Exclusive)
	s.until(2 * time.Hour)
	state, err := os.ReadFile(s.state.path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(s.state.path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	text := string(state) + s.log.String() + strings.Join(s.scrape(t), "\n")
	for token := range s.sim.Truth(storyBegin, s.clock.Now()).ByToken {
		if strings.Contains(text, token) {
			t.Fatal("a token is in the state, the log or the metrics")
		}
	}
	for _, secret := range []string{"abs_ak", "abs_sk", string(testKey)} {
		if strings.Contains(text, secret) {
			t.Errorf("%s is in the state, the log or the metrics", secret)
		}
	}
}

func TestStateOfAnotherKey(t *testing.T) {
	o := defaults()
	o.StateDir = t.TempDir()
	s := newStory(t, simulator.Config{Seed: 10, Tokens: 2}, o, abs.Exclusive)
	s.until(10 * time.Minute)
	saved, err := s.state.load()
	if err != nil {
		t.Fatal(err)
	}
	saved.KeyCheck = []byte("another")
	if err := s.state.write(saved); err != nil {
		t.Fatal(err)
	}
	_, err = newRig(o, time.UTC, abs.Exclusive, 0, s.clock, s.sim.Transport())
	if err == nil || !strings.Contains(err.Error(), "--series.token-key-file") {
		t.Errorf("a state of another key: %v", err)
	}
}

func decodeBytes(b []byte) (*savedState, error) {
	return decodeState(bytes.NewReader(b), int64(len(b)))
}
