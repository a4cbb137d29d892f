package collector

import (
	"time"

	"github.com/abs-exporter/abs-exporter/collector/findings"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// recordUp sets abs_up once all reports were requested: set earlier, it would flap to 1 in every
// cycle before the failing report is requested.
func (t *target) recordUp(c *cycle) {
	if c.succeeded+c.failed == 0 {
		return
	}
	t.up = c.failed == 0
	up := 0.0
	if t.up {
		up = 1
	}
	t.health.Up.WithLabelValues(t.Name).Set(up)
}

func (t *target) recordHealth(now time.Time, f findings.Status) {
	slots := map[ledger.SlotState]int{}
	for _, s := range t.ledger.Slots(now) {
		slots[s.State]++
	}
	for _, state := range []ledger.SlotState{ledger.Open, ledger.Pending} {
		t.health.Slots.WithLabelValues(t.Name, string(state)).Set(float64(slots[state]))
	}
	for state, n := range map[string]int{
		metrics.ForensicsDue: f.Due, metrics.ForensicsCovered: f.Covered,
		metrics.ForensicsFailed: f.Failed, metrics.ForensicsSkipped: f.Skipped,
	} {
		t.health.ForensicsTokens.WithLabelValues(t.Name, state).Set(float64(n))
	}
	if !f.Oldest.IsZero() {
		t.health.ForensicsOldestAge.WithLabelValues(t.Name).Set(now.Sub(f.Oldest).Seconds())
	}
}

// recordConfig sets the durations that dashboards draw as limits.
func recordConfig(health *metrics.Health, target string, o *Options) {
	for setting, d := range map[string]time.Duration{
		metrics.SettingInterval: o.Interval, metrics.SettingSlot: o.Slot, metrics.SettingReread: o.Reread,
		metrics.SettingSettle: o.Settle, metrics.SettingWindow: o.Window, metrics.SettingExpire: o.Expire,
	} {
		health.ConfigSeconds.WithLabelValues(target, setting).Set(d.Seconds())
	}
}
