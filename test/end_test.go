package test

import (
	"slices"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// soon is how long ending may last: less than the ten seconds after which Docker kills.
const soon = 5 * time.Second

// SIGTERM ends the demo with 0, also in the middle of a cycle or while ABS hangs.
func TestDemoEnds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, faults string }{
		{name: "ABS is well"},
		{"ABS does not answer", `[{"kind":"hang"}]`},
		{"ABS stops in the middle of an answer", `[{"kind":"stall","delay":"10m"}]`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := startDemo(t)
			if tc.faults != "" {
				d.setFaults(t, tc.faults)
				until(t, "a call hangs", func() bool { return d.hasHangingCall(t) })
			}
			if status, took := d.terminate(t); status != 0 || took > soon {
				t.Errorf("it ended with status %d after %v", status, took)
			}
		})
	}
}

// hasHangingCall returns whether a call to the simulated ABS has been under way for a second.
func (d *demo) hasHangingCall(t *testing.T) bool {
	t.Helper()
	var stats simulator.Stats
	d.simulator(t, "/simulator/stats", &stats)
	for _, calls := range stats.Log {
		if slices.ContainsFunc(calls, func(c simulator.Call) bool { return c.Took == 0 && time.Since(c.Time) > time.Second }) {
			return true
		}
	}
	return false
}

// SIGTERM while the look-back of years is computed: nothing is to be waited for, as every state of
// the directory is one to go on from.
func TestServeEndsDuringAVeryLongLookback(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{0, 2 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			t.Parallel()
			_, flags := busyABS(t)
			e := startServe(t, nil, append(flags, "--collect.slot=1m", "--collect.lookback=4380h", "--collect.max-backfill=8760h")...)
			time.Sleep(after) // into another of the steps: any of them may be the long one
			if status, took := e.terminate(t); status != 0 || took > soon {
				t.Errorf("it ended with status %d after %v", status, took)
			}
		})
	}
}

// SIGTERM during the very first request, which ABS never answers: nothing was read, and the pages
// are served all the same.
func TestServeEndsDuringItsFirstRequest(t *testing.T) {
	t.Parallel()
	sim := simulator.New(simulator.Config{Tokens: 10, Rate: 60})
	if err := sim.SetFaults(simulator.Fault{Kind: simulator.FaultHang}); err != nil {
		t.Fatal(err)
	}
	flags := startABS(t, sim, nil)
	e := startServe(t, nil, append(flags, keyFiles(t, "abs_ak", "abs_sk")...)...)
	until(t, "ABS has a request", func() bool { return sim.Stats().MaxInFlight > 0 })
	for _, page := range []string{"healthz", "readyz", "metrics", ""} {
		e.get(t, page)
	}
	if status, took := e.terminate(t); status != 0 || took > soon {
		t.Errorf("it ended with status %d after %v", status, took)
	}
}
