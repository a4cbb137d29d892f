package alerts

import (
	"slices"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/test/tools"
)

// TestStateAlerts runs an exporter and a Prometheus, both real, on a simulated ABS: an API leaves
// prediction mode, the licence runs out, a node fills up and another zone is set. The alerts fire,
// no other one does, and they resolve. Then a licence comes to its end. It lasts some 80 seconds;
// see rulesFaster.
func TestStateAlerts(t *testing.T) {
	t.Parallel()
	sim := newABS(4)
	_, entry := startABS(t, "state", sim)
	address := tools.FreeAddress(t)
	startExporter(t, address, map[string]any{
		"targets": []any{entry},
		"abs":     map[string]any{"rate": 100},
		// Slots of hours would take all of a short cycle on a busy machine.
		"collect": map[string]any{
			"interval": "1s", "reread": "1s", "slot": "1m", "window": "2m", "settle": "0s", "max-backfill": "1m",
		},
		"admin": map[string]any{"interval": "1s"},
		"state": map[string]any{"dir": ""},
	})
	prom := startPrometheus(t, address, tools.FreeAddress(t)) // nobody is notified
	until(t, "ABS's own state is known", func() bool { return len(prom.query(`abs_api_prediction_mode{api="shop"} == 1`)) == 1 })

	want := []string{"ABSLicenseExpired", "ABSNodeDiskFull", "ABSPredictionModeLost", "ABSTimeZoneMismatch"}
	firing := func() []string {
		var names []string
		for name := range prom.firing("state") {
			names = append(names, name)
		}
		slices.Sort(names)
		return names
	}
	if got := firing(); len(got) > 0 {
		t.Errorf("before anything happened: %q", got)
	}
	began := time.Now()
	if err := sim.SetFaults(
		simulator.Fault{Kind: simulator.FaultTraining, API: "shop"},
		simulator.Fault{Kind: simulator.FaultLicense, From: began.Add(-time.Second)},
		simulator.Fault{Kind: simulator.FaultDisk, Share: 0.9},
		simulator.Fault{Kind: simulator.FaultZone, Body: "Asia/Kolkata"},
	); err != nil {
		t.Fatal(err)
	}
	until(t, "the alerts fire", func() bool { return slices.Equal(firing(), want) })
	t.Logf("all fire %.1f s after it happened", time.Since(began).Seconds())
	if a := prom.firing("state")["ABSPredictionModeLost"]; a.Labels["api"] != "shop" || a.Labels["severity"] != "warning" {
		t.Errorf("labels: %v", a.Labels)
	}
	if got := prom.query(`ALERTS{alertname="ABSPredictionModeLost"}`); len(got) != 1 {
		t.Errorf("for other APIs too: %v", got)
	}
	if got := prom.query(`abs_up{target="state"} == 1`); len(got) != 1 {
		t.Error("ABS is not up")
	}

	ended := time.Now()
	if err := sim.SetFaults(); err != nil {
		t.Fatal(err)
	}
	until(t, "the alerts resolve", func() bool { return len(firing()) == 0 })
	t.Logf("all are resolved %.1f s after its end", time.Since(ended).Seconds())

	// A licence that ends: in 6 days it pages, in 20 it is a ticket. The thresholds that are seconds
	// are faster here, too.
	for severity, days := range map[string]float64{"critical": 6, "warning": 20} {
		left := time.Duration(days * 24 / rulesFaster * float64(time.Hour))
		if err := sim.SetFaults(simulator.Fault{Kind: simulator.FaultLicense, From: time.Now().Add(left)}); err != nil {
			t.Fatal(err)
		}
		until(t, "the end of the licence is "+severity, func() bool {
			a, ok := prom.firing("state")["ABSLicenseExpiring"]
			return ok && a.Labels["severity"] == severity && len(firing()) == 1
		})
	}

	// An ABS that shuts down at the end never reports that the licence has expired.
	end := time.Now().Add(6 * time.Second)
	if err := sim.SetFaults(
		simulator.Fault{Kind: simulator.FaultLicense, From: end}, simulator.Fault{Kind: simulator.FaultDown, From: end.Add(-time.Second), To: end.Add(time.Hour)},
	); err != nil {
		t.Fatal(err)
	}
	until(t, "the licence of an ABS that is down has expired", func() bool { return slices.Contains(firing(), "ABSLicenseExpired") })
	t.Logf("it fires %.1f s after the end", time.Since(end).Seconds())
	if got := prom.query(`last_over_time(abs_license_expired[10m]) == 1`); len(got) != 0 {
		t.Errorf("ABS reported it: %v", got)
	}
}
