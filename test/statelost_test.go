package test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// loss is one way in which a state is lost.
type loss struct {
	name   string
	lose   func(t *testing.T, dir, state, elsewhere string)
	mend   func(t *testing.T, dir, state, elsewhere string) // nil: it is saved all the same
	noKey  bool                                             // the key is lost with it
	linked bool                                             // the state is elsewhere in the end
}

// The state is lost, or replaced, while the exporter runs. Either it is saved anew, and a restart
// goes on from there; or nothing can be saved: then the counters stand still, ABS is asked on, and
// once there is a place for the state they go on.
func TestStateIsLostWhileItRuns(t *testing.T) {
	t.Parallel()
	for _, tc := range []loss{
		{name: "removed", lose: func(t *testing.T, _, state, _ string) { must(t, os.Remove(state)) }},
		{name: "emptied", lose: func(t *testing.T, _, state, _ string) { must(t, os.Truncate(state, 0)) }},
		{name: "overwritten", lose: func(t *testing.T, _, state, _ string) { must(t, os.WriteFile(state, []byte("something else"), 0o600)) }},
		{name: "a link to where it is now", linked: true, lose: func(t *testing.T, _, state, elsewhere string) {
			must(t, os.Rename(state, filepath.Join(elsewhere, "moved")))
			must(t, os.Symlink(filepath.Join(elsewhere, "moved"), state))
		}},
		{name: "a link to nothing", lose: func(t *testing.T, _, state, elsewhere string) {
			must(t, os.Remove(state))
			must(t, os.Symlink(filepath.Join(elsewhere, "nothing"), state))
		}},
		{name: "a link to itself", lose: func(t *testing.T, _, state, _ string) {
			must(t, os.Remove(state))
			must(t, os.Symlink(state, state))
		}},
		{
			name: "a link to a directory",
			lose: func(t *testing.T, _, state, elsewhere string) {
				must(t, os.Remove(state))
				must(t, os.Symlink(elsewhere, state))
			},
			mend: func(t *testing.T, _, state, _ string) { must(t, os.Remove(state)) },
		},
		{
			name: "a directory",
			lose: func(t *testing.T, _, state, _ string) {
				must(t, os.Remove(state))
				must(t, os.Mkdir(state, 0o700))
			},
			mend: func(t *testing.T, _, state, _ string) { must(t, os.Remove(state)) },
		},
		{
			name: "gone with its directory", noKey: true,
			lose: func(t *testing.T, dir, _, _ string) { must(t, os.RemoveAll(dir)) },
			mend: func(t *testing.T, dir, _, _ string) { must(t, os.Mkdir(dir, 0o700)) },
		},
		{
			name: "in a directory that is moved away and back",
			lose: func(t *testing.T, dir, _, elsewhere string) {
				must(t, os.Rename(dir, filepath.Join(elsewhere, "moved")))
			},
			mend: func(t *testing.T, dir, _, elsewhere string) {
				must(t, os.Rename(filepath.Join(elsewhere, "moved"), dir))
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.try(t)
		})
	}
}

// try loses the state, and checks what follows.
func (tc *loss) try(t *testing.T) {
	t.Helper()
	sim, flags := busyABS(t)
	dir, elsewhere := filepath.Join(t.TempDir(), "state"), t.TempDir()
	must(t, os.Mkdir(dir, 0o700))
	flags = append(flags, "--state.dir="+dir, "--no-forensics.enabled")
	e := startServe(t, nil, flags...)
	counted(t, e)
	states, err := filepath.Glob(filepath.Join(dir, "counters-*.state"))
	if err != nil || len(states) != 1 {
		t.Fatalf("state files: %v, %v", states, err)
	}
	tc.lose(t, dir, states[0], elsewhere)
	if tc.mend != nil {
		standsStill(t, e, sim)
		tc.mend(t, dir, states[0], elsewhere)
	}
	before := goesOn(t, e)
	info, err := os.Lstat(states[0])
	must(t, err)
	if linked := info.Mode()&os.ModeSymlink != 0; linked != tc.linked || !linked && info.Mode() != 0o600 {
		t.Errorf("the state has the mode %v", info.Mode())
	}
	if status, _ := e.terminate(t); status != 0 {
		t.Fatalf("it ended with status %d", status)
	}
	again := start(t, nil, append([]string{"serve", "--web.listen-address=127.0.0.1:0"}, flags...)...)
	if tc.noKey {
		if status := again.status(t); status != 1 {
			t.Errorf("it ended with status %d, want 1", status)
		}
		says(t, again, "token-id.key")
		return
	}
	second := again.serving(t)
	if after, ok := second.value(t, `abs_requests_total{target="test"}`); !ok || after < before {
		t.Errorf("abs_requests_total is %v at once after the restart, and was %v", after, before)
	}
	goesOn(t, second)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// goesOn waits until more is counted, and returns how much.
func goesOn(t *testing.T, e *exporter) (requests float64) {
	t.Helper()
	const series = `abs_requests_total{target="test"}`
	before, _ := e.value(t, series)
	until(t, "the counters go on", func() bool {
		requests, _ = e.value(t, series)
		return requests > before
	})
	return requests
}

// standsStill checks that nothing is exposed that cannot be saved, while ABS is asked on.
func standsStill(t *testing.T, e *exporter, sim *simulator.Simulator) {
	t.Helper()
	failed := func() float64 {
		n, _ := e.value(t, `abs_exporter_state_save_failures_total{target="test"}`)
		return n
	}
	until(t, "a save fails", func() bool { return failed() > 0 })
	before, _ := e.value(t, `abs_requests_total{target="test"}`)
	calls, n := sim.Stats().Calls["oauthtokens"], failed()
	until(t, "ABS is asked on, and further saves fail", func() bool { return sim.Stats().Calls["oauthtokens"] > calls+3 && failed() > n+1 })
	if now, ok := e.value(t, `abs_requests_total{target="test"}`); !ok || now != before {
		t.Errorf("abs_requests_total was %v and is %v, although nothing can be saved", before, now)
	}
}
