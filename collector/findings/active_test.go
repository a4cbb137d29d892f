package findings

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/findings/catalogue"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

var begin = time.Unix(1e9, 0)

// handClock is moved by hand. Sleepers wait for their context.
type handClock struct{ now time.Time }

func (c *handClock) Now() time.Time { return c.now }

func (*handClock) Sleep(ctx context.Context, _ time.Duration) error {
	<-ctx.Done()
	return ctx.Err()
}

// scriptedABS answers every report with what a test sets.
type scriptedABS struct {
	clock     *handClock
	forensics map[string]abs.Forensics
	attacks   map[string][]abs.FlaggedToken // by API
	flood     func(func(abs.FlaggedToken) error) error
	took      time.Duration // that an attack report takes
	fails     bool

	mu    sync.Mutex // several forensics calls are made at once
	asked []string
}

var sequence = abs.Forensics{Attacks: 1, AttackTypes: []abs.Finding{{Type: "Sequence Attack", APIs: []string{"shop"}}}}

func (s *scriptedABS) Forensics(_ context.Context, _ abs.Window, token []byte) (abs.Forensics, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, "forensics "+string(token))
	if s.fails {
		return abs.Forensics{}, &abs.Error{Report: abs.ReportForensics, Reason: abs.ReasonStatus, Status: 500}
	}
	return s.forensics[string(token)], nil
}

func (s *scriptedABS) AttackList(context.Context, abs.Window, func([]byte) error) (abs.AttackSummary, error) {
	return abs.AttackSummary{}, nil
}

func (s *scriptedABS) Attacks(_ context.Context, _ abs.Window, api string, flagged func(abs.FlaggedToken) error) (abs.AttackSummary, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, "attack "+api)
	s.clock.now = s.clock.now.Add(s.took)
	if s.flood != nil && api == "" {
		return abs.AttackSummary{}, s.flood(flagged)
	}
	for _, t := range s.attacks[api] {
		if err := flagged(t); err != nil {
			return abs.AttackSummary{}, err
		}
	}
	return abs.AttackSummary{}, nil
}

// rig is findings on a scripted ABS.
type rig struct {
	*Findings
	t     *testing.T
	abs   *scriptedABS
	clock *handClock
	log   *strings.Builder
	apis  []string
	fresh int // times that the gauges were published within a cycle
}

func newRig(t *testing.T, change func(*Config)) *rig {
	t.Helper()
	types, err := catalogue.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, clock: &handClock{now: begin}, log: &strings.Builder{}}
	r.abs = &scriptedABS{clock: r.clock, forensics: map[string]abs.Forensics{}, attacks: map[string][]abs.FlaggedToken{}}
	key := tokenid.Key("0123456789abcdef")
	c := Config{
		Target: "t", Forensics: r.abs, AttackReports: r.abs, Rate: 1e6, Window: 3 * time.Hour,
		Interval: 2 * time.Minute, Reread: 10 * time.Minute, MaxTokens: 1000, LogEvents: true, Expire: 2 * time.Hour, ZeroFor: 105 * time.Second, Catalogue: types,
		Hooks: Hooks{
			Clock: r.clock, Log: slog.New(slog.NewTextHandler(r.log, nil)), Hash: key.ID,
			Tracked: func(tokenid.ID) bool { return false }, APIs: func() []string { return r.apis },
			Ambiguous: func(abs.Window) bool { return false }, Changed: func() { r.fresh++ },
			Failed: func(string, error, string) {}, Answered: func(string) {}, Heartbeat: func() {},
		},
	}
	if change != nil {
		change(&c)
	}
	r.Findings = New(c)
	return r
}

// window records a window report with some tokens.
func (r *rig) window(complete bool, tokens ...string) {
	o := r.ObserveWindow(r.clock.now)
	for _, token := range tokens {
		o.Row(r.cfg.Hash([]byte(token)), []byte(token), 10)
	}
	o.Done(abs.WindowUntil(r.clock.now, r.cfg.Window), complete)
}

// cycle is one cycle's share of findings, two minutes after the one before.
func (r *rig) cycle() {
	r.clock.now = r.clock.now.Add(r.cfg.Interval)
	r.Run(r.t.Context(), r.clock.now.Add(r.cfg.Interval))
}

// series returns the series of a family with their values, as "labels value".
func (r *rig) series(f *metrics.Family) []string {
	blocks := append(r.Gauges(r.clock.now), r.Stage(r.clock.now, r.clock.now)...)
	r.Published()
	var all []string
	for _, b := range blocks {
		for _, s := range b.Samples {
			if b.Family == f {
				var labels []string
				for _, value := range s.Series.Labels() {
					labels = append(labels, value)
				}
				all = append(all, fmt.Sprint(strings.Join(labels[1:], " "), " ", s.Value))
			}
		}
	}
	return all
}

func (r *rig) want(f *metrics.Family, want ...string) {
	r.t.Helper()
	if got := r.series(f); !slices.Equal(got, want) {
		r.t.Errorf("%v: %s is %q, want %q", r.clock.now.Sub(begin), f.Name, got, want)
	}
}

func (r *rig) detections() int64 {
	var n int64
	for _, p := range r.active.pairs.all {
		n += p.detections.Value
	}
	return n
}

// Nobody knows who is flagged before the first answer, and once no answer is younger than the
// window.
func TestUnknownIsAbsent(t *testing.T) {
	r := newRig(t, func(c *Config) { c.AttackReports = nil })
	r.window(true, "a")
	r.want(metrics.FlaggedTokens)
	r.abs.fails = true
	r.cycle()
	r.want(metrics.FlaggedTokens)
	r.abs.fails = false
	r.abs.forensics["a"] = sequence
	r.window(true, "a")
	r.cycle()
	r.want(metrics.FlaggedTokens, " 1")
	r.want(metrics.AttackTokens, "Sequence Attack shop 1")
	if n := r.Status().Flagged; n != 1 {
		t.Errorf("status: %d flagged", n)
	}
	r.abs.fails = true
	r.clock.now = r.clock.now.Add(r.cfg.Window)
	r.window(true, "a")
	r.cycle()
	r.want(metrics.FlaggedTokens)
	r.want(metrics.AttackTokens)
	r.want(metrics.TokenAttackActive, r.cfg.Hash([]byte("a")).String()+" Sequence Attack shop 0")
	if n := r.Status().Flagged; n != unknown {
		t.Errorf("status: %d flagged, when nobody knows", n)
	}
}

// A window without a token has none that is flagged.
func TestEmptyWindowIsAnAnswer(t *testing.T) {
	r := newRig(t, func(c *Config) { c.AttackReports = nil })
	r.window(false)
	r.want(metrics.FlaggedTokens)
	r.window(true)
	r.want(metrics.FlaggedTokens, " 0")
}

// Two nodes of an ABS disagree about a token: it is one detection. Two answers in a row without the
// finding end it, and the second is asked for in the next cycle.
func TestFindingEndsAtTheSecondAnswer(t *testing.T) {
	r := newRig(t, func(c *Config) { c.AttackReports = nil })
	id := r.cfg.Hash([]byte("a")).String()
	r.window(true, "a")
	for range 4 {
		r.abs.forensics["a"] = sequence
		r.window(true, "a")
		r.cycle()
		r.abs.forensics["a"] = abs.Forensics{}
		r.clock.now = r.clock.now.Add(10 * time.Minute)
		r.window(true, "a")
		r.abs.forensics["a"] = abs.Forensics{}
		r.cycle()
		r.want(metrics.TokenAttackActive, id+" Sequence Attack shop 1")
		r.abs.forensics["a"] = sequence
		r.cycle() // asked again without a new plan
	}
	if n := r.detections(); n != 1 {
		t.Errorf("%d detections of 1", n)
	}
	r.abs.forensics["a"] = abs.Forensics{}
	r.clock.now = r.clock.now.Add(10 * time.Minute)
	r.window(true, "a")
	r.cycle()
	before := len(r.abs.asked)
	r.cycle()
	if asked := r.abs.asked[before:]; !slices.Equal(asked, []string{"forensics a"}) {
		t.Errorf("the cycle after the first answer without the finding asked %q", asked)
	}
	r.want(metrics.TokenAttackActive, id+" Sequence Attack shop 0")
	r.cycle()
	r.want(metrics.TokenAttackActive)
	r.want(metrics.AttackTokens, "Sequence Attack shop 0")
}

// One odd window report ends nothing; two complete ones in a row without the token do.
func TestTokenLeavesAtTheSecondReport(t *testing.T) {
	for name, tt := range map[string]struct {
		reports   []func(*rig)
		ambiguous bool
		active    bool
	}{
		"one empty":           {reports: []func(*rig){func(r *rig) { r.window(true) }}, active: true},
		"empty, back, empty":  {reports: []func(*rig){func(r *rig) { r.window(true) }, func(r *rig) { r.window(true, "a") }, func(r *rig) { r.window(true) }}, active: true},
		"two incomplete":      {reports: []func(*rig){func(r *rig) { r.window(false) }, func(r *rig) { r.window(false) }}, active: true},
		"two":                 {reports: []func(*rig){func(r *rig) { r.window(true) }, func(r *rig) { r.window(true) }}},
		"two, incomplete too": {reports: []func(*rig){func(r *rig) { r.window(true) }, func(r *rig) { r.window(false) }, func(r *rig) { r.window(true, "b") }}},
		"two in the repeated hour": {
			reports: []func(*rig){func(r *rig) { r.window(true) }, func(r *rig) { r.window(true) }}, ambiguous: true, active: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.AttackReports = nil })
			r.abs.forensics["a"] = sequence
			r.window(true, "a")
			r.cycle()
			r.cfg.Ambiguous = func(abs.Window) bool { return tt.ambiguous }
			for _, report := range tt.reports {
				report(r)
			}
			r.abs.fails = true
			r.cycle()
			want := []string{" 0"}
			if tt.active {
				want = []string{" 1"}
			}
			r.want(metrics.FlaggedTokens, want...)
		})
	}
}

// A forensics window in the repeated hour may be another one: its answers end nothing.
func TestAmbiguousWindowEndsNothing(t *testing.T) {
	r := newRig(t, func(c *Config) { c.AttackReports = nil })
	r.abs.forensics["a"] = sequence
	r.window(true, "a")
	r.cycle()
	r.cfg.Ambiguous = func(abs.Window) bool { return true }
	r.abs.forensics["a"] = abs.Forensics{}
	for range 5 {
		r.clock.now = r.clock.now.Add(10 * time.Minute)
		r.window(true, "a")
		r.cycle()
	}
	r.want(metrics.FlaggedTokens, " 1")
}

// A token that an attack report names is flagged at once and asked about next, under one spelling,
// and is one detection.
func TestAttackReportFlagsAtOnce(t *testing.T) {
	r := newRig(t, nil)
	r.apis = []string{"shop"}
	r.window(true, "a", "b", "c")
	r.cycle()
	r.abs.attacks["shop"] = []abs.FlaggedToken{{Token: []byte("c"), AttackType: "sequence_attack", LastAccess: begin}}
	r.clock.now = r.clock.now.Add(10 * time.Minute)
	r.abs.asked = nil
	r.abs.forensics["c"] = sequence
	r.cycle()
	if want := []string{"attack ", "attack shop", "forensics c"}; !slices.Equal(r.abs.asked[:3], want) {
		t.Errorf("asked %q, want %q first", r.abs.asked, want)
	}
	if r.fresh == 0 {
		t.Error("the gauges were not published before forensics began")
	}
	r.want(metrics.AttackTokens, "sequence_attack shop 1")
	if n := r.detections(); n != 1 {
		t.Errorf("%d detections of 1", n)
	}
}

// Each source ends its own findings. What forensics lacked twice is not flagged again by an entry
// that did not change, and is by one that did.
func TestForensicsRefutesAnEntry(t *testing.T) {
	r := newRig(t, nil)
	entry := abs.FlaggedToken{Token: []byte("a"), AttackType: "Sequence Attack", LastAccess: begin}
	r.abs.attacks[""] = []abs.FlaggedToken{entry}
	r.window(true, "a")
	r.cycle()
	r.want(metrics.AttackTokens, "Sequence Attack all 1")
	r.cycle() // the second answer of forensics without it
	for range 3 {
		r.want(metrics.AttackTokens, "Sequence Attack all 0")
		r.cycle()
	}
	entry.LastAccess = begin.Add(time.Hour)
	r.abs.attacks[""] = []abs.FlaggedToken{entry}
	r.abs.forensics["a"] = abs.Forensics{AttackTypes: []abs.Finding{{Type: "Sequence Attack", APIs: []string{"all"}}}}
	r.cycle()
	r.want(metrics.AttackTokens, "Sequence Attack all 1")
	r.abs.attacks[""] = nil // forensics still has it
	r.cycle()
	r.cycle()
	r.want(metrics.AttackTokens, "Sequence Attack all 1")
	if n := r.detections(); n != 2 {
		t.Errorf("%d detections of 2", n)
	}
}

// A failing attack report, and one that lacks an entry once, end nothing.
func TestAttackReportsOfRestrictedUser(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Forensics = nil })
	r.apis = []string{"shop"}
	entries := []abs.FlaggedToken{{Token: []byte("a"), AttackType: "Sequence Attack", LastAccess: begin}}
	r.abs.attacks["shop"] = entries
	r.cycle()
	r.want(metrics.AttackTokens, "Sequence Attack shop 1")
	r.abs.attacks["shop"] = nil
	r.clock.now = r.clock.now.Add(10 * time.Minute)
	r.cycle()
	r.want(metrics.AttackTokens, "Sequence Attack shop 1")
	r.abs.asked = nil
	r.cycle()
	if !slices.Contains(r.abs.asked, "attack shop") {
		t.Errorf("the report that lacks an entry was not read again in the next cycle: %q", r.abs.asked)
	}
	r.want(metrics.AttackTokens, "Sequence Attack shop 0")
}

// The reports of all APIs are read within --collect.reread, in a quarter of the cycle at most,
// those whose last answer changed first.
func TestEveryAttackReportWithinReread(t *testing.T) {
	r := newRig(t, nil)
	for i := range 50 {
		r.apis = append(r.apis, fmt.Sprintf("api-%02d", i))
	}
	r.abs.took = 2 * time.Second // 15 reports a cycle
	last := map[string]time.Time{}
	for range 60 {
		at := r.clock.now.Add(r.cfg.Interval)
		r.abs.asked = nil
		r.clock.now = at.Add(-r.cfg.Interval)
		r.cycle()
		reports := 0
		for _, report := range r.abs.asked {
			if api, ok := strings.CutPrefix(report, "attack api-"); ok {
				reports++
				if before, ok := last[api]; ok && at.Sub(before) > r.cfg.Reread {
					t.Errorf("the report of %s was read after %v", api, at.Sub(before))
				}
				last[api] = at
			}
		}
		if reports > 16 {
			t.Errorf("%d reports took %v of the cycle", reports, time.Duration(reports)*r.abs.took)
		}
		r.clock.now = at
	}
	if len(last) != 50 {
		t.Errorf("%d of 50 reports were read", len(last))
	}
	r.abs.took = 0
	r.abs.attacks["api-42"] = []abs.FlaggedToken{{Token: []byte("a"), AttackType: "Sequence Attack", LastAccess: begin}}
	for range 6 {
		r.cycle()
	}
	r.abs.asked = nil
	r.reports.apis["api-42"].first = true
	r.clock.now = r.clock.now.Add(time.Hour)
	r.cycle()
	if r.abs.asked[1] != "attack api-42" {
		t.Errorf("asked %q first", r.abs.asked[:2])
	}
}

// One report that flags everybody is bounded in memory and log, and counted.
func TestFloodOfFlaggedTokens(t *testing.T) {
	long(t)
	r := newRig(t, func(c *Config) { c.Forensics = nil })
	const n = maxTokens + 5000
	flagged := make([]abs.FlaggedToken, n)
	for i := range flagged {
		flagged[i] = abs.FlaggedToken{Token: fmt.Appendf(nil, "token-%d", i), AttackType: "Sequence Attack", LastAccess: begin}
	}
	r.abs.attacks[""] = flagged
	r.cycle()
	r.want(metrics.FlaggedTokens, fmt.Sprint(" ", maxTokens))
	if got := len(r.series(metrics.TokenAttackActive)); got != r.cfg.MaxTokens {
		t.Errorf("%d series of %d", got, r.cfg.MaxTokens)
	}
	r.clock.now = r.clock.now.Add(2 * time.Minute)
	r.want(metrics.FindingsOverflow, " 5000")
	if lines := strings.Count(r.log.String(), "\n"); lines > maxLogged+2 {
		t.Errorf("%d log lines", lines)
	}
	if !strings.Contains(r.log.String(), fmt.Sprintf("events=%d", maxTokens-maxLogged)) {
		t.Error("the log does not have the number of the others")
	}
}

// What a state has continues: no attack begins anew, none is forgotten.
func TestStateContinues(t *testing.T) {
	r := newRig(t, nil)
	r.abs.forensics["a"] = sequence
	r.abs.attacks[""] = []abs.FlaggedToken{{Token: []byte("b"), AttackType: "Stolen Token Attack Type 2", LastAccess: begin}}
	r.window(true, "a", "b")
	r.cycle()
	want := r.series(metrics.TokenAttackActive)
	next := newRig(t, nil)
	next.clock.now = r.clock.now
	if err := next.Restore(r.State()); err != nil {
		t.Fatal(err)
	}
	if got := next.series(metrics.TokenAttackActive); !slices.Equal(got, want) || len(got) == 0 {
		t.Errorf("after a restart %q, before %q", got, want)
	}
	next.want(metrics.FlaggedTokens, r.series(metrics.FlaggedTokens)...)
	next.abs.forensics, next.abs.attacks = r.abs.forensics, r.abs.attacks
	next.window(true, "a", "b")
	next.cycle()
	if n := next.detections(); n != r.detections() {
		t.Errorf("%d detections after the restart, %d before", n, r.detections())
	}
}

// Logs of forensics failures go to the failure hook alone, and never hold a token.
func TestNoTokenInTheLog(t *testing.T) {
	r := newRig(t, nil)
	r.abs.forensics["a-secret-token"] = sequence
	r.window(true, "a-secret-token")
	r.cycle()
	if strings.Contains(r.log.String(), "a-secret-token") {
		t.Errorf("the log holds a token: %s", r.log)
	}
}

// BenchmarkGauges compares the gauges of 100,000 tokens whose series are made with those whose
// series are kept with the tokens.
func BenchmarkGauges(b *testing.B) {
	for _, kept := range []bool{false, true} {
		b.Run(fmt.Sprintf("kept=%v", kept), func(b *testing.B) {
			types, err := catalogue.New(nil)
			if err != nil {
				b.Fatal(err)
			}
			f := New(Config{
				Target: "t", Window: 3 * time.Hour, MaxTokens: maxTokens, Catalogue: types, Forensics: &scriptedABS{}, Rate: 1,
				Reread: 10 * time.Minute, Hooks: Hooks{Tracked: func(tokenid.ID) bool { return true }},
			})
			for id := range tokenid.ID(maxTokens) {
				f.active.answered(id<<32, abs.Forensics{}, abs.Window{}, false, begin)
			}
			b.ReportAllocs()
			for b.Loop() {
				if !kept {
					for _, t := range f.active.tokens {
						t.series = tokenSeries{}
					}
				}
				f.Gauges(begin)
			}
		})
	}
}

// An attack has a time at which it was first seen: per token while it is active, per type and API
// that of the first token that still has it. A restart does not change it, and an end ends it.
func TestAttackStart(t *testing.T) {
	r := newRig(t, func(c *Config) { c.AttackReports = nil })
	at := func(d time.Duration) string { return fmt.Sprint(begin.Add(d).Unix()) }
	id := func(token string) string { return r.cfg.Hash([]byte(token)).String() }
	perToken := func(lines ...string) []string { slices.Sort(lines); return lines }
	const attack = "Sequence Attack shop "
	r.want(metrics.AttackStart)
	r.abs.forensics["a"] = sequence
	r.window(true, "a", "b")
	r.cycle()
	r.want(metrics.AttackStart, attack+at(2*time.Minute))
	r.clock.now = r.clock.now.Add(8 * time.Minute)
	r.abs.forensics["b"] = sequence
	r.window(true, "a", "b")
	r.cycle()
	r.want(metrics.AttackStart, attack+at(2*time.Minute))
	both := perToken(id("a")+" "+attack+at(2*time.Minute), id("b")+" "+attack+at(12*time.Minute))
	r.want(metrics.TokenAttackStart, both...)

	restarted := newRig(t, func(c *Config) { c.AttackReports = nil })
	restarted.clock.now = r.clock.now
	if err := restarted.Restore(r.State()); err != nil {
		t.Fatal(err)
	}
	restarted.want(metrics.TokenAttackStart, both...)
	restarted.want(metrics.AttackStart, attack+at(2*time.Minute))

	delete(r.abs.forensics, "a")
	for range 3 {
		r.clock.now = r.clock.now.Add(8 * time.Minute)
		r.window(true, "a", "b")
		r.cycle()
	}
	r.want(metrics.TokenAttackStart, id("b")+" "+attack+at(12*time.Minute))
	r.want(metrics.AttackStart, attack+at(12*time.Minute))
	delete(r.abs.forensics, "b")
	for range 3 {
		r.clock.now = r.clock.now.Add(8 * time.Minute)
		r.window(true, "a", "b")
		r.cycle()
	}
	r.want(metrics.TokenAttackStart)
	r.want(metrics.AttackStart)
	r.want(metrics.AttackTokens, attack+"0")
}
