package collector

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// ABS answers in 40 ms, then in 2 s: the calls stay within rate and concurrency, and the
// reports that feed the counters are asked for when it is time to.
func TestForensicsKeepsPace(t *testing.T) {
	long(t)
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Config{
			Seed: 15, Tokens: 3000, Rate: 2, Now: time.Now, MaxTokenLen: 60, CallLog: 100_000,
		})
		client, err := abs.NewClient(abs.Config{
			URL: "http://abs.test", Keys: abs.StaticKeys("abs_ak", "abs_sk"), Transport: sim.Transport(),
		})
		if err != nil {
			t.Fatal(err)
		}
		o := defaults()
		o.ForensicsRate = 10
		registry := prometheus.NewRegistry()
		c, err := New([]Target{{Options: o, Name: "t", ABS: client, AttackReports: client, Forensics: true}}, Environment{
			Key: testKey, Health: metrics.NewHealth(registry), Publisher: metrics.NewExposition(registry, metrics.Options{}),
			Clock: SystemClock{}, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		calls := map[time.Duration]int{}
		for _, delay := range []time.Duration{40 * time.Millisecond, 2 * time.Second} {
			if err := sim.SetFaults(simulator.Fault{Kind: "slow", Delay: delay}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(30*time.Second - time.Duration(time.Now().Unix()%30)*time.Second)
			synctest.Wait()
			sim.ResetStats()
			time.Sleep(30 * time.Minute)
			synctest.Wait()
			stats := sim.Stats()
			calls[delay] = len(stats.Log["forensics"])
			checkPace(t, delay, stats, o)
		}
		if calls[40*time.Millisecond] < 5000 {
			t.Errorf("%d calls in half an hour of a quick ABS: the plan is not worked through", calls[40*time.Millisecond])
		}
		if calls[2*time.Second] > calls[40*time.Millisecond]/4 {
			t.Errorf("a slow ABS got %d calls, a quick one %d", calls[2*time.Second], calls[40*time.Millisecond])
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}

func checkPace(t *testing.T, delay time.Duration, stats simulator.Stats, o Options) {
	t.Helper()
	if stats.MaxInFlight > abs.DefaultConcurrency {
		t.Errorf("answers in %v: %d calls at once", delay, stats.MaxInFlight)
	}
	forensics := stats.Log["forensics"]
	const second = 10
	for i := second; i < len(forensics); i++ {
		if gap := forensics[i].At.Sub(forensics[i-second].At); gap < 900*time.Millisecond {
			t.Fatalf("answers in %v: %d calls in %v", delay, second+1, gap)
		}
	}
	// A cycle begins by asking for the slot that has not ended: on the grid, to the second.
	cycles := 0
	for _, call := range stats.Log["oauthtokens"] {
		if call.At.Sub(call.At.Truncate(o.Interval)) < time.Second {
			cycles++
		}
	}
	if cycles < 14 {
		t.Errorf("answers in %v: %d of 15 cycles began on time", delay, cycles)
	}
}

// While forensics runs for a whole interval, what it finds is exposed within 5 s, and no counter
// moves until the cycle has ended.
func TestFoundIsServed(t *testing.T) {
	long(t)
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Config{
			Seed: 12, Tokens: 3000, Rate: 20, Now: time.Now, MaxTokenLen: 60, Immediate: true,
			AttackEvery: 20 * time.Second, AttackLast: 2 * time.Hour,
		})
		client, err := abs.NewClient(abs.Config{URL: "http://abs.test", Keys: abs.StaticKeys("abs_ak", "abs_sk"), Transport: sim.Transport()})
		if err != nil {
			t.Fatal(err)
		}
		o := defaults()
		o.ForensicsRate, o.MaxTokens = 10, 3000
		registry := prometheus.NewRegistry()
		r := &rig{exposed: metrics.NewExposition(registry, metrics.Options{})}
		found := make(chan metrics.Event, 1000)
		c, err := New([]Target{{Options: o, Name: "t", ABS: client, Forensics: true}}, Environment{
			Key: testKey, Health: metrics.NewHealth(registry), Publisher: r.exposed, Clock: SystemClock{},
			Log: slog.New(slog.DiscardHandler), Events: func(e metrics.Event) { found <- e },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}()
		began := map[string]time.Time{} // the findings, by their series
		var counters []string           // as exposed in this cycle
		moved, within := 0, 0
		for at := time.Second; at < 4*time.Minute; at += time.Second {
			time.Sleep(time.Second)
			synctest.Wait()
			for ; len(found) > 0; within++ {
				note(began, <-found)
			}
			lines := r.scrape(t)
			checkServed(t, began, lines)
			lines = slices.DeleteFunc(lines, isNoCounter)
			if slices.Equal(lines, counters) {
				continue
			}
			if moved++; at%o.Interval > time.Second {
				t.Fatalf("%v: a counter moved within the cycle", at)
			}
			counters = lines
		}
		if within < 500 || moved < 2 {
			t.Errorf("%d findings began and the counters moved %d times: nothing was tested", within, moved)
		}
	})
}

// note adds the series of a finding that began.
func note(began map[string]time.Time, e metrics.Event) {
	for _, api := range e.APIs {
		series := fmt.Sprintf("abs_token_%s_active{target=\"t\",token=%q,%s_type=%q,api=%q} 1", e.Kind(), e.Token, e.Kind(), e.Type, api)
		began[series] = e.At
	}
}

// checkServed checks that what began more than 5 s ago is exposed.
func checkServed(t *testing.T, began map[string]time.Time, lines []string) {
	t.Helper()
	for series, since := range began {
		if time.Since(since) > 5*time.Second && !slices.Contains(lines, series) {
			t.Fatalf("%v after it was found, there is no %s", time.Since(since), series)
		}
	}
}

// isNoCounter reports whether a line of the exposition is not one of a counter that is saved.
func isNoCounter(line string) bool {
	return !strings.Contains(line, "_total{") || strings.HasPrefix(line, "abs_exporter_report")
}

// Each attack is counted once, whatever fails in between and however often the exporter
// is started again: 30 % of the calls fail, and there are three restarts.
func TestDetectionsAreExact(t *testing.T) {
	long(t)
	o := defaults()
	o.StateDir = t.TempDir()
	o.Expire = 24 * time.Hour // so that no series ends
	s := newStory(t, simulator.Config{Seed: 16}, o, abs.Exclusive, withAttackReports)
	want := addAttacks(s)
	if err := s.sim.SetFaults(simulator.Fault{Report: "forensics", Kind: "status", Code: 500, Probability: 0.3}); err != nil {
		t.Fatal(err)
	}
	began := 0
	for _, until := range []time.Duration{40 * time.Minute, 2 * time.Hour, 10 * time.Hour, 19 * time.Hour} {
		s.until(until)
		for line := range strings.Lines(s.log.String()) {
			if strings.Contains(line, "attack began") {
				began += strings.Count(line, "shop") + strings.Count(line, "cards")
			}
		}
		if until < 19*time.Hour {
			s.restart()
		}
	}
	got := map[string]int{}
	for _, sample := range s.books.live {
		if sample.Series.Family() == metrics.AttackDetections {
			labels := maps.Collect(sample.Series.Labels())
			got[labels["attack_type"]+"|"+labels["api"]] = int(sample.Value)
		}
	}
	pairs := 0
	for pair, n := range want {
		pairs += n
		if got[pair] != n {
			t.Errorf("%q: detected %d times of %d", pair, got[pair], n)
		}
	}
	if began != pairs {
		t.Errorf("the log has %d beginnings, there were %d", began, pairs)
	}
	s.shows(`abs_flagged_tokens{target="t"} 0`)
}

// addAttacks adds two attacks on each of 40 tokens, and returns how many there are of a type on an
// API.
func addAttacks(s *story) map[string]int {
	types := []string{"Data Poisoning Attack", "Sequence Attack", "An attack type of tomorrow, \"quoted\"\nand broken"}
	want := map[string]int{}
	for i := range 40 {
		token := fmt.Sprintf("explicit-token-%02d-with-attacks", i)
		for m := 0; m < 20*60; m += 7 {
			s.sim.Add(simulator.Event{At: storyBegin.Add(time.Duration(m) * time.Minute), Token: token, API: "shop"})
		}
		kind := types[i%len(types)]
		// Twice, with the window between them; every other time on two APIs.
		for _, begin := range []time.Duration{0, 9 * time.Hour} {
			a := simulator.Attack{Token: token, Type: kind, From: storyBegin.Add(begin + time.Duration(i)*time.Minute)}
			a.To = a.From.Add(2 * time.Hour)
			if a.APIs = []string{"shop"}; i%2 == 0 {
				a.APIs = append(a.APIs, "cards")
			}
			for _, api := range a.APIs {
				want[kind+"|"+api]++
			}
			s.sim.AddAttack(a)
		}
	}
	return want
}
