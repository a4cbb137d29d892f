package backfill

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// Every window of a day has what was requested in it, by every label, while tokens come and go.
func TestHistoryIsTheTruth(t *testing.T) {
	r := newRig(t, simulator.Config{Seed: 1, Tokens: 12, TokenLife: 3 * time.Hour, Rate: 20}, 24*time.Hour)
	all := parse(t, r.written())
	for at := begin; at.Before(r.target.To); at = at.Add(r.options.Step) {
		to := at.Add(r.options.Step)
		truth := r.sim.Truth(at, to)
		when := " at " + at.Format(time.TimeOnly)
		equal(t, "total"+when, all.increase("abs_requests_total", "target", at, to), nonZero(map[string]int64{"t": truth.Requests}))
		equal(t, "by token"+when, all.increase("abs_token_requests_total", "token", at, to), byID(&truth))
		for label, want := range map[string]map[string]int64{"method": truth.ByMethod, "api": truth.ByAPI, "device": truth.ByDevice} {
			equal(t, label+when, all.increase("abs_"+label+"_requests_total", label, at, to), want)
			equal(t, "by token and "+label+when, all.increase("abs_token_"+label+"_requests_total", label, at, to), want)
		}
	}
	ended := 0
	for name, samples := range all {
		if samples[0].value != 0 {
			t.Errorf("%s begins with %v, not with 0", name, samples[0])
		}
		if samples[len(samples)-1].ms < r.target.To.UnixMilli() {
			ended++
		}
	}
	if ended == 0 || r.calls != 1+24*6 { // one looks for the first requests
		t.Errorf("%d series ended, of %d; %d requests", ended, len(all), r.calls)
	}
	if _, err := os.Stat(r.options.Dir); !os.IsNotExist(err) {
		t.Errorf("the work directory is left: %v", err)
	}
}

func nonZero(m map[string]int64) map[string]int64 {
	for k, n := range m {
		if n == 0 {
			delete(m, k)
		}
	}
	return m
}

// Past the limits, the series stay as few as live ones, and their sums right.
func TestLimits(t *testing.T) {
	r := newRig(t, simulator.Config{Seed: 2, Tokens: 60, TokenLife: 2 * time.Hour, Rate: 30}, 24*time.Hour)
	r.target.MaxTokens, r.target.MaxValues, r.target.Expire = 5, 2, time.Hour
	all := parse(t, r.written())
	for at := begin; at.Before(r.target.To); at = at.Add(r.options.Step) {
		to := at.Add(r.options.Step)
		want := map[string]int64{"t": r.sim.TruthRequests(at, to)}
		for _, family := range []string{"abs_requests_total", "abs_token_requests_total", "abs_api_requests_total", "abs_token_api_requests_total"} {
			equal(t, family, all.increase(family, "target", at, to), want)
		}
		live := 0
		for name, samples := range all {
			if strings.HasPrefix(name, "abs_token_requests_total{") && samples[0].ms <= to.UnixMilli() && samples[len(samples)-1].ms >= to.UnixMilli() {
				live++
			}
		}
		if live > 1+5+60 {
			t.Errorf("%d tokens have series", live)
		}
	}
}

// However often it is interrupted, and whenever: the same bytes, and no window is read again but
// those since the last checkpoint.
func TestInterrupted(t *testing.T) {
	config := simulator.Config{Seed: 3, Tokens: 30, TokenLife: 3 * time.Hour, Rate: 30}
	change := func(r *rig) { r.target.MaxTokens, r.target.MaxValues = 8, 3 }
	whole := newRig(t, config, 30*time.Hour)
	change(whole)
	want := whole.written()
	for _, every := range []int{17, 40, 100} {
		t.Run(fmt.Sprint(every), func(t *testing.T) {
			r := newRig(t, config, 30*time.Hour)
			change(r)
			runs := 1
			text, err := r.killedAfter(every)
			for ; err != nil; runs++ {
				if !strings.Contains(err.Error(), "interrupted at") || !strings.Contains(err.Error(), r.options.Dir) {
					t.Fatal(err)
				}
				noTokens(t, r)
				text, err = r.killedAfter(every)
			}
			if text != want {
				t.Error("other bytes than without an interruption")
			}
			if most := whole.calls + runs*windowsKept; r.calls > most || runs == 1 {
				t.Errorf("%d requests in %d runs, want %d at most", r.calls, runs, most)
			}
		})
	}
}

// killedAfter runs for so many requests.
func (r *rig) killedAfter(requests int) (string, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	last := r.calls + requests
	r.before = func(call int) error {
		if call < last {
			return nil
		}
		cancel()
		return errKilled
	}
	return r.run(ctx)
}

// noTokens checks that no file holds a token, and that nobody but the owner can read one.
func noTokens(t *testing.T, r *rig) {
	t.Helper()
	truth := r.sim.Truth(begin, begin.Add(6*time.Hour))
	err := filepath.WalkDir(r.options.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
		}
		if d.IsDir() {
			return nil
		}
		text, err := os.ReadFile(path)
		for token := range truth.ByToken {
			if strings.Contains(string(text), token[:20]) {
				t.Errorf("%s has a token", path)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Windows that ABS cannot report at once are read in parts, whatever ABS does with them.
func TestSplitWindows(t *testing.T) {
	config := simulator.Config{Seed: 4, Tokens: 300, Rate: 30}
	want := newRig(t, config, 6*time.Hour).written()
	for name, kind := range map[string]simulator.CapKind{
		"cut": simulator.CapCut, "torn": simulator.CapAbort, "413": simulator.CapStatus, "500": simulator.CapError, "rows left out": simulator.CapRows,
	} {
		t.Run(name, func(t *testing.T) {
			config := config
			config.ResponseCap, config.CapKind = 200_000, kind
			r := newRig(t, config, 6*time.Hour)
			if text := r.written(); text != want {
				t.Error("other bytes than without a cap")
			}
			if r.calls < 50 {
				t.Errorf("only %d requests: nothing was split", r.calls)
			}
			t.Logf("%d requests, waited %v", r.calls, r.slept)
		})
	}
}

// The repeated hour is in one longer window, and the missing one in none.
func TestClockChanges(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]time.Time{
		"back": time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC), "forward": time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC),
	} {
		t.Run(name, func(t *testing.T) {
			from, to := change.Add(-6*time.Hour), change.Add(7*time.Hour)
			r := newRig(t, simulator.Config{Seed: 5, Tokens: 10, Rate: 60, Location: berlin, Now: func() time.Time { return to.Add(24 * time.Hour) }}, 0)
			r.target.From, r.target.To = from, to
			all := parse(t, r.written())
			for at, end := from, from; at.Before(to); at = end {
				if end = at.Add(time.Hour); name == "back" && end.Equal(change.Add(-time.Hour)) {
					end = end.Add(2 * time.Hour)
				}
				equal(t, at.String(), all.increase("abs_requests_total", "target", at, end), map[string]int64{"t": r.sim.TruthRequests(at, end)})
			}
			equal(t, "all", all.increase("abs_requests_total", "target", from, to), map[string]int64{"t": r.sim.TruthRequests(from, to)})
		})
	}
}

// A report that fails is requested again, and later ones are not until it is read. After four
// minutes it ends with an error, and the next run goes on.
func TestFailedReports(t *testing.T) {
	config := simulator.Config{Seed: 6, Tokens: 10, Rate: 60}
	want := newRig(t, config, 6*time.Hour).written()
	for _, tc := range []struct {
		name  string
		fault simulator.Fault
		says  string // "": it passes
	}{
		{"a 503 now and then", simulator.Fault{Kind: simulator.FaultStatus, Probability: 0.3}, ""},
		{"a 500 now and then", simulator.Fault{Kind: simulator.FaultStatus, Code: 500, Probability: 0.3}, ""},
		{"reset", simulator.Fault{Kind: simulator.FaultReset, Times: 3}, ""},
		{"garbage", simulator.Fault{Kind: simulator.FaultGarbage, Times: 3}, ""},
		{"asked to wait", simulator.Fault{Kind: simulator.FaultStatus, Code: 429, RetryAfter: "90", Times: 2}, ""},
		{"503 for good", simulator.Fault{Kind: simulator.FaultStatus, Code: 503}, "cannot be read, and what follows it is missing: abs: oauthtokens"},
		{"500 for good", simulator.Fault{Kind: simulator.FaultStatus, Code: 500}, "cannot be read, and what follows it is missing: abs: oauthtokens"},
		{"the keys", simulator.Fault{Kind: simulator.FaultStatus, Code: 401}, "401"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, config, 6*time.Hour)
			healthy := 0
			if tc.says != "" {
				healthy = 20
			}
			r.before = func(call int) error {
				if call == healthy+1 {
					return r.sim.SetFaults(tc.fault)
				}
				return nil
			}
			text, err := r.run(context.Background())
			if tc.says != "" {
				r.endsWith(err, tc.says)
				text, err = r.resumed()
			}
			if err != nil || text != want {
				t.Errorf("other bytes than without a fault; %v", err)
			}
			if tc.fault.RetryAfter != "" && r.slept < 3*time.Minute {
				t.Errorf("it waited for %v only", r.slept)
			}
			if tc.fault.Code == 401 && r.slept > 0 {
				t.Error("it tried refused keys again")
			}
		})
	}
}

// endsWith checks the error of a run that is to be resumed.
func (r *rig) endsWith(err error, says string) {
	r.t.Helper()
	if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "the same command goes on from there") {
		r.t.Fatalf("%v", err)
	}
}

// resumed runs again without faults.
func (r *rig) resumed() (string, error) {
	before := r.calls
	r.before = nil
	if err := r.sim.SetFaults(); err != nil {
		r.t.Fatal(err)
	}
	text, err := r.run(context.Background())
	if n := r.calls - before; n > 36-12 {
		r.t.Errorf("%d requests after the resumption", n)
	}
	return text, err
}

// Days of which ABS keeps nothing cost one request each, and are logged.
func TestBeginsWhereABSDoes(t *testing.T) {
	r := newRig(t, simulator.Config{Seed: 7, Tokens: 10, Rate: 60, Begin: begin.Add(5 * time.Hour)}, 12*time.Hour)
	r.target.From = begin.Add(-20*24*time.Hour + 7*time.Minute)
	all := parse(t, r.written())
	equal(t, "all", all.increase("abs_requests_total", "target", r.target.From, r.target.To), map[string]int64{"t": r.sim.TruthRequests(begin, r.target.To)})
	if r.calls != 21+72 {
		t.Errorf("%d requests", r.calls)
	}
	if log := r.log.String(); !strings.Contains(log, "history begins later than asked for") || !strings.Contains(log, "begins=2026-11-20T00:00:00.000Z") {
		t.Error(log)
	}

	none := newRig(t, simulator.Config{}, 48*time.Hour)
	if text := none.written(); text != "# EOF\n" || !strings.Contains(none.log.String(), `msg="no history"`) {
		t.Errorf("%s%s", text, none.log.String())
	}
}

// A work directory belongs to one command, and to one process at a time.
func TestWorkDirOfAnother(t *testing.T) {
	for _, tc := range []struct {
		name, says string
		change     func(*rig)
	}{
		{"step", "--step 10m0s, and this is --step 20m0s", func(r *rig) { r.options.Step *= 2 }},
		{"end", "--to 2026-11-20T06:00:00Z, and this is --to 2026-11-20T05:00:00Z", func(r *rig) { r.target.To = r.target.To.Add(-time.Hour) }},
		{"key", "--series.token-key-file", func(r *rig) { r.options.Key = testKey[1:] }},
		{"target", "--abs.name t, and this is --abs.name u", func(r *rig) { r.target.Name = "u" }},
		{"tokens", "--series.max-tokens 10000, and this is --series.max-tokens 1", func(r *rig) { r.target.MaxTokens = 1 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := begun(t)
			tc.change(r)
			if _, err := r.run(context.Background()); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

// begun returns a rig whose run was interrupted.
func begun(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, simulator.Config{Seed: 8, Tokens: 5, Rate: 60}, 6*time.Hour)
	if _, err := r.killedAfter(20); err == nil {
		t.Fatal("it was not interrupted")
	}
	r.before = nil
	return r
}

func TestDamagedWorkDir(t *testing.T) {
	for _, name := range []string{"target-0.checkpoint", "target-0-00000001.part"} {
		r := begun(t)
		path := filepath.Join(r.options.Dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text[:len(text)-3], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := r.run(context.Background()); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWorkDirInUse(t *testing.T) {
	r := begun(t)
	d, err := openWorkDir(r.options.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if _, err := r.run(context.Background()); err == nil || !strings.Contains(err.Error(), "another backfill is running") {
		t.Errorf("%v", err)
	}
}
