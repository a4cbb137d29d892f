package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/collector/failures"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// panicky is an ABS whose answers make the exporter panic for as long as a number is above 0.
type panicky struct {
	ABS
	inTokens, inForensics atomic.Int64
}

func (p *panicky) Tokens(ctx context.Context, w abs.Window, row func(*abs.Row) error) (abs.Summary, error) {
	rows := 0
	return p.ABS.Tokens(ctx, w, func(r *abs.Row) error {
		if rows++; rows == 2 && p.inTokens.Add(-1) >= 0 {
			panic(fmt.Errorf("a row that nobody thought of: %s%s", r.Token, strings.Repeat("x", 10_000)))
		}
		return row(r)
	})
}

func (p *panicky) Forensics(ctx context.Context, w abs.Window, token []byte) (abs.Forensics, error) {
	if p.inForensics.Add(-1) >= 0 {
		panic("forensics that nobody thought of: " + string(token))
	}
	return p.ABS.Forensics(ctx, w, token)
}

// panicking is two targets with the same ABS, of which that of target "a" makes it panic. It lives
// in synctest's time.
type panicking struct {
	*Collector
	a        panicky
	sim      *simulator.Simulator
	begin    time.Time
	log      strings.Builder
	r        rig
	stateDir string
	// publishing makes the next publications of target "a" panic.
	publishing atomic.Int64
}

func (p *panicking) Publish(target string, s *metrics.Snapshot) {
	if target == "a" && p.publishing.Add(-1) >= 0 {
		panic("counter cannot decrease in value")
	}
	p.r.exposed.Publish(target, s)
}

func runPanicking(t *testing.T, stateDir string, change ...func(*Options)) *panicking {
	t.Helper()
	p := &panicking{begin: time.Now(), stateDir: stateDir, r: rig{registry: prometheus.NewRegistry()}}
	p.sim = simulator.New(simulator.Config{
		Seed: 1, Tokens: 10, Rate: 30, Immediate: true, Now: time.Now, Begin: p.begin, End: p.begin.Add(55 * time.Minute),
	})
	client, err := abs.NewClient(abs.Config{
		URL: "http://abs.test", Keys: abs.StaticKeys("abs_ak", "abs_sk"), Location: time.UTC, Rate: 1e6, Concurrency: 8,
		Transport: p.sim.Transport(), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.a.ABS = client
	p.r.exposed = metrics.NewExposition(p.r.registry, metrics.Options{})
	o := defaults()
	o.StateDir = stateDir
	for _, f := range change {
		f(&o)
	}
	p.Collector, err = New([]Target{{Options: o, Name: "a", ABS: &p.a, Admin: client, Forensics: true}, {Options: o, Name: "b", ABS: client, Forensics: true}}, Environment{
		Key: testKey, Health: metrics.NewHealth(p.r.registry), Publisher: p, Clock: SystemClock{},
		Log: slog.New(slog.NewTextHandler(&p.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
	return p
}

// until waits for a time after the beginning.
func (p *panicking) until(d time.Duration) {
	time.Sleep(time.Until(p.begin.Add(d)))
	synctest.Wait()
}

// value returns what is exposed of a series.
func (p *panicking) value(t *testing.T, series string) string {
	t.Helper()
	for _, line := range p.r.scrape(t) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return value
		}
	}
	return "absent"
}

func (p *panicking) shows(t *testing.T, want map[string]string) {
	t.Helper()
	for series, value := range want {
		if got := p.value(t, series); got != value {
			t.Errorf("after %v: %s is %s, want %s", time.Since(p.begin), series, got, value)
		}
	}
}

// A panic ends the cycle of one target. The target goes on from its state: each request is counted
// once. The other target notices nothing.
func TestPanicEndsOneCycle(t *testing.T) {
	for name, panics := range map[string]func(*panicking){
		"in a report":    func(p *panicking) { p.a.inTokens.Store(1) },
		"in a commit":    func(p *panicking) { p.publishing.Store(1) },
		"in a forensics": func(p *panicking) { p.a.inForensics.Store(1) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := runPanicking(t, t.TempDir())
				p.until(31 * time.Minute)
				panics(p)
				p.until(45 * time.Minute)
				p.shows(t, map[string]string{
					`abs_exporter_target_panics_total{target="a"}`: "1",
					`abs_exporter_target_panics_total{target="b"}`: "0",
					`abs_up{target="a"}`:                           "1", // by now
				})
				p.until(2 * time.Hour)
				truth := p.sim.Truth(p.begin, time.Now()).Requests
				for _, target := range []string{"a", "b"} {
					if n := p.value(t, `abs_requests_total{target="`+target+`"}`); n != itoa(truth) || truth == 0 {
						t.Errorf("%s counted %s of %d", target, n, truth)
					}
				}
				p.hasLogged(t)
				if errs := p.Status()[0].Errors; len(errs) == 0 || !strings.Contains(errs[0].What, "target panicked") {
					t.Errorf("the status has %v", errs)
				}
				if !p.Alive() {
					t.Error("not alive")
				}
			})
		})
	}
}

// hasLogged checks the line of a panic: it has the stack, is bounded, and repeats nothing of what
// ABS reported, nor does the status.
func (p *panicking) hasLogged(t *testing.T) {
	t.Helper()
	log := p.log.String()
	for _, want := range []string{`level=ERROR msg="target panicked" target=a err="panic: `, "stack=", "_test.go:", "goes on from its saved state"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s", want)
		}
	}
	for line := range strings.Lines(log) {
		if len(line) > 4000 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	shown := log + fmt.Sprint(p.Status())
	for token := range p.sim.Truth(p.begin, time.Now()).ByToken {
		if strings.Contains(shown, token) {
			t.Errorf("a token is shown:\n%s", shown)
		}
	}
	if strings.Contains(shown, "nobody thought of") {
		t.Errorf("the value of a panic is shown:\n%s", shown)
	}
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// Without a state directory everything begins anew, and the log says what that loses. What was
// counted before is not counted again, whether a cycle counted in between or not.
func TestPanicWithoutState(t *testing.T) {
	for _, panics := range []int64{1, 2} {
		for _, lookback := range []time.Duration{0, time.Hour} {
			t.Run(fmt.Sprintf("%d with a look-back of %v", panics, lookback), func(t *testing.T) { panicWithoutState(t, panics, lookback) })
		}
	}
}

func panicWithoutState(t *testing.T, panics int64, lookback time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := runPanicking(t, "", func(o *Options) { o.Lookback = lookback })
		p.until(31 * time.Minute)
		before := p.sim.Truth(p.begin, time.Now()).Requests
		p.a.inTokens.Store(panics)
		p.until(time.Duration(31+2*panics) * time.Minute)
		p.shows(t, map[string]string{`abs_requests_total{target="a"}`: "0"})
		p.until(2 * time.Hour)
		truth := p.sim.Truth(p.begin, time.Now()).Requests
		var n int64
		for _, c := range p.value(t, `abs_requests_total{target="a"}`) {
			n = 10*n + int64(c-'0')
		}
		if n == 0 || n > truth-before {
			t.Errorf("%d counted anew; %d of %d were requested before", n, before, truth)
		}
		if !strings.Contains(p.log.String(), "without --state.dir all counters of the target begin anew at 0") {
			t.Errorf("the log does not say what is lost: %s", p.log.String())
		}
	})
}

// Where no state could be saved yet, the log does not promise that nothing is lost.
func TestPanicBeforeTheFirstSave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "missing")
		p := runPanicking(t, dir)
		p.until(31 * time.Minute)
		before := p.sim.Truth(p.begin, time.Now()).Requests
		p.a.inTokens.Store(1)
		p.until(40 * time.Minute)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		p.until(2 * time.Hour)
		truth := p.sim.Truth(p.begin, time.Now()).Requests
		p.shows(t, map[string]string{`abs_requests_total{target="b"}`: itoa(truth)})
		if n, err := strconv.ParseInt(p.value(t, `abs_requests_total{target="a"}`), 10, 64); err != nil || n == 0 || n > truth-before {
			t.Errorf("%d counted anew, %v; %d of %d were requested before", n, err, before, truth)
		}
		for line := range strings.Lines(p.log.String()) {
			if strings.Contains(line, "target panicked") && (strings.Contains(line, "nothing is lost") || !strings.Contains(line, "never exposed is lost")) {
				t.Errorf("the log promises too much: %.300s", line)
			}
		}
	})
}

// The third panic in a row ends the polling of a target, not that of others, and not the process.
func TestThirdPanicStopsTheTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := runPanicking(t, t.TempDir())
		p.until(25 * time.Minute)
		p.a.inTokens.Store(2)
		p.until(29 * time.Minute)
		p.shows(t, map[string]string{`abs_exporter_target_panics_total{target="a"}`: "2"})
		p.until(35 * time.Minute) // a good cycle in between: they are not in a row
		p.shows(t, map[string]string{`abs_up{target="a"}`: "1"})
		counted := p.value(t, `abs_requests_total{target="a"}`)
		p.a.inTokens.Store(3)
		p.until(42 * time.Minute)
		p.shows(t, map[string]string{`abs_exporter_target_panics_total{target="a"}`: "5", `abs_up{target="a"}`: "0"})
		calls := p.sim.Stats().Calls["oauthtokens"]
		p.until(2 * time.Hour)
		p.shows(t, map[string]string{
			`abs_exporter_target_panics_total{target="a"}`: "5",
			`abs_up{target="a"}`:                           "0",
			`abs_up{target="b"}`:                           "1",
			`abs_requests_total{target="a"}`:               counted,
			`abs_flagged_tokens{target="a"}`:               "absent",
			`abs_window_requests{target="a"}`:              "absent",
			`abs_requests_total{target="b"}`:               itoa(p.sim.Truth(p.begin, time.Now()).Requests),
		})
		if now := p.sim.Stats().Calls["oauthtokens"]; now == calls {
			t.Error("the other target is not polled")
		}
		if s := p.Status()[0]; s.Up || !strings.Contains(s.Errors[0].What, "third cycle in a row") {
			t.Errorf("the status is %+v", s)
		}
		if !p.Alive() {
			t.Error("one target that stopped ends the others")
		}
		p.all()[1].stopped.Store(true)
		if p.Alive() {
			t.Error("alive although no target is polled")
		}
	})
}

// The log goes on after a panic: the end of a failure is logged, and nothing twice.
func TestPanicForgetsNoTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := runPanicking(t, t.TempDir())
		p.until(21 * time.Minute)
		if err := p.sim.SetFaults(simulator.Fault{Report: "oauthtokens", Kind: simulator.FaultStatus, Code: 500}); err != nil {
			t.Fatal(err)
		}
		p.until(31 * time.Minute)
		p.publishing.Store(1)
		p.until(35 * time.Minute)
		if err := p.sim.SetFaults(); err != nil {
			t.Fatal(err)
		}
		p.until(time.Hour)
		for _, want := range []string{
			`msg="target panicked" target=a`,
			`msg="first report read" target=a report=oauthtokens`,
			`msg="report recovered" target=a report=oauthtokens after=14m0s`,
		} {
			if got := strings.Count(p.log.String(), want); got != 1 {
				t.Errorf("%d times in the log: %s", got, want)
			}
		}
	})
}

// A time zone that was warned of is not warned of again after a panic.
func TestPanicForgetsNoWrongZone(t *testing.T) {
	wired := func(wrong bool) *target {
		log := slog.New(slog.DiscardHandler)
		return &target{wiring: &wiring{failures: failures.New(time.Now, log), absClock: &absClock{wrongZone: wrong}}}
	}
	rebuilt := wired(false)
	rebuilt.goOnFrom(wired(true))
	if !rebuilt.absClock.wrongZone {
		t.Error("the zone would be warned of again")
	}
}

// A target that stops because it cannot be exposed any more does not end the process.
func TestTargetThatCannotBePublishedStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := runPanicking(t, t.TempDir(), func(o *Options) { o.AdminInterval = 5 * time.Minute })
		p.until(31 * time.Minute)
		if !p.Status()[0].Admin.Known {
			t.Fatal("nothing is known of the admin report")
		}
		p.publishing.Store(1 << 30)
		p.until(2 * time.Hour)
		p.shows(t, map[string]string{
			`abs_up{target="a"}`:             "0",
			`abs_up{target="b"}`:             "1",
			`abs_requests_total{target="b"}`: itoa(p.sim.Truth(p.begin, time.Now()).Requests),
		})
		if s := p.Status()[0]; s.Up || s.Admin.Known {
			t.Errorf("the status is %+v", s)
		}
	})
}

// A target whose state cannot be read any more stops at once.
func TestPanicWithDamagedState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		p := runPanicking(t, dir)
		p.until(31 * time.Minute)
		if err := os.WriteFile(statePath(dir, "a"), []byte("damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
		p.a.inTokens.Store(1)
		p.until(time.Hour)
		p.shows(t, map[string]string{
			`abs_exporter_target_panics_total{target="a"}`: "1",
			`abs_up{target="a"}`:                           "0",
			`abs_up{target="b"}`:                           "1",
		})
		if !strings.Contains(p.log.String(), "cannot be rebuilt") {
			t.Errorf("the log does not say so: %s", p.log.String())
		}
	})
}

// A loop that waits for a slow request is no stuck loop, however long --abs.timeout is.
func TestLivenessKnowsTheTimeOut(t *testing.T) {
	for _, tt := range []struct {
		name    string
		timeout time.Duration
		stuck   time.Duration // the longest time without a heartbeat that is no fault
	}{
		{"the default", 2 * time.Minute, 32 * time.Minute},
		{"longer than the limit", 4 * time.Hour, 4*time.Hour + 30*time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hangs := hanging{}
				o := defaults()
				o.Forensics = false
				registry := prometheus.NewRegistry()
				c, err := New([]Target{{Options: o, Name: "t", ABS: hangs, Timeout: tt.timeout}}, Environment{
					Key: testKey, Health: metrics.NewHealth(registry), Publisher: metrics.NewExposition(registry, metrics.Options{}),
					Clock: SystemClock{}, Log: slog.New(slog.DiscardHandler),
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- c.Run(ctx) }()
				time.Sleep(tt.stuck - time.Second)
				if !c.Alive() {
					t.Errorf("not alive while a request has been under way for less than %v", tt.stuck)
				}
				time.Sleep(2 * time.Second)
				if c.Alive() {
					t.Errorf("alive without a heartbeat for %v", tt.stuck)
				}
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A cycle that computes for long does not keep the process from ending.
func TestRunLeavesALongCycleBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := make(computing)
		registry := prometheus.NewRegistry()
		c, err := New([]Target{{Options: defaults(), Name: "t", ABS: busy}}, Environment{
			Key: testKey, Health: metrics.NewHealth(registry), Publisher: metrics.NewExposition(registry, metrics.Options{}),
			Clock: SystemClock{}, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		time.Sleep(time.Minute)
		cancel()
		begun := time.Now()
		if err := <-ended; !errors.Is(err, ErrLeftBehind) || time.Since(begun) > stopTime {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		close(busy)
	})
}

// computing is an ABS whose answers take as long as they take, whether anybody waits or not.
type computing chan struct{}

func (c computing) Tokens(ctx context.Context, _ abs.Window, _ func(*abs.Row) error) (abs.Summary, error) {
	<-c
	return abs.Summary{}, ctx.Err()
}

func (c computing) Forensics(ctx context.Context, _ abs.Window, _ []byte) (abs.Forensics, error) {
	return abs.Forensics{}, ctx.Err()
}

// hanging is an ABS that answers when the process ends.
type hanging struct{}

func (hanging) Tokens(ctx context.Context, _ abs.Window, _ func(*abs.Row) error) (abs.Summary, error) {
	<-ctx.Done()
	return abs.Summary{}, ctx.Err()
}

func (hanging) Forensics(ctx context.Context, _ abs.Window, _ []byte) (abs.Forensics, error) {
	<-ctx.Done()
	return abs.Forensics{}, ctx.Err()
}
