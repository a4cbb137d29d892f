package collector

import (
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// commit exposes what was counted: stage, save, publish. While saving fails, the counters stand
// still, as a restart would continue from the state that was saved last; gauges go on.
func (t *target) commit(c *cycle) {
	now := t.clock.Now()
	// What was first exposed in a cycle stays at 0 in its other commits: values appear by whole
	// cycles.
	if c.staged.IsZero() {
		c.staged = now
	}
	t.ledger.SetFlagged(t.findings.Flagged())
	staged := append(t.ledger.Stage(now, c.staged), t.findings.Stage(now, c.staged)...)
	err := t.state.save(now, t.ledger, t.findings.State)
	if err != nil {
		t.health.StateSaveFailures.WithLabelValues(t.Name).Inc()
		t.failures.StateNotSaved(err)
	} else {
		t.failures.StateSaved()
	}
	// Nothing was counted before the first commit: it exposes what was restored, or zeros, and so
	// would the next process.
	if err == nil || t.counters == nil {
		t.counters = staged
		t.ledger.Published()
		t.findings.Published()
	} else {
		t.ledger.SaveFailed()
	}
	if saved := t.state.saved; !saved.IsZero() {
		t.health.StateLastSave.WithLabelValues(t.Name).Set(float64(saved.UnixNano()) / 1e9)
	}
	t.publish(now, false)
	status := t.findings.Status()
	t.recordHealth(now, status)
	t.recordStatus(now, status)
}

// publish exposes the counters as they were last saved, and the gauges as they are. Between commits
// it is interim: only gauges changed.
func (t *target) publish(now time.Time, interim bool) {
	blocks := append([]metrics.Block{}, t.counters...)
	blocks = append(blocks, t.window.gauges(now)...)
	blocks = append(blocks, t.findings.Gauges(now)...)
	blocks = append(blocks, t.admin.gauges(now)...)
	blocks = slices.DeleteFunc(blocks, func(b metrics.Block) bool { return slices.Contains(t.options.Excluded, b.Family) })
	t.publisher.Publish(t.Name, &metrics.Snapshot{Blocks: blocks, Labels: t.Labels, Interim: interim})
}
