package collector

import (
	"reflect"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// commit serves what was counted: stage, save, publish. While saving fails, the
// counters stand still, as a restart would go on from the state that was saved last;
// gauges and attacks go on.
func (t *target) commit() {
	now := t.clock.Now()
	// What was born in a cycle stays at 0 in the second commit of that cycle: values come
	// to light by whole cycles.
	if t.cycle.staged.IsZero() {
		t.cycle.staged = now
	}
	t.ledger.SetFlagged(t.attacks.underAttack())
	staged := append(t.ledger.Stage(t.cycle.staged), t.attacks.stageCounters(t.cycle.staged)...)
	if err := t.save(now); err != nil {
		t.ledger.Withdrawn()
		t.attacks.births.Withdrawn()
		t.health.StateSaveFailures.WithLabelValues(t.Name).Inc()
		t.failure("the state could not be saved", err, "the served counters stand still until it can be; nothing is lost or counted twice")
	} else {
		t.counters = staged
		t.ledger.Published(now)
		t.attacks.births.Published(now)
	}
	t.gauges.begin()
	blocks := append(append([]metrics.Block{}, t.counters...), t.windowGauges(now)...)
	t.attacks.shownUnderAttack = 0
	if t.o.Forensics && (t.Forensics || t.hints != nil) {
		t.attacks.forget(t.ledger.IsTracked)
		blocks = append(blocks, t.attacks.stageGauges(t.gauges, now, t.cycle.staged, t.o.Window)...)
	}
	t.pub.Publish(t.Name, &metrics.Snapshot{Blocks: blocks})
	t.tellHealth(now)
	t.tellStatus(now)
}

// save writes the state that what was staged belongs to, unless the one that is saved
// says the same: as a rule, a cycle counts nothing after its first commit.
func (t *target) save(now time.Time) error {
	if t.state.path == "" {
		return nil
	}
	attacks, cursor := t.attacks.state(), t.forensics.plan.Cursor()
	if last := t.lastSave; last != nil && t.ledger.Unchanged() && cursor == last.Cursor && reflect.DeepEqual(attacks, last.Attacks) {
		return nil
	}
	t.lastSave = nil
	s := &savedState{Target: t.Name, KeyCheck: t.keyCheck, Saved: now, Ledger: t.ledger.State(), Attacks: attacks, Cursor: cursor}
	if err := t.state.save(s); err != nil {
		return err
	}
	s.Ledger = nil // as large as all the rest of the target
	t.lastSave, t.saved = s, now
	t.health.StateLastSave.WithLabelValues(t.Name).Set(float64(now.UnixNano()) / 1e9)
	return nil
}

// tellUp tells whether all reports of the cycle came, once all were asked for: told earlier, it would be well again in each
// cycle until the one that fails was asked for anew.
func (t *target) tellUp() {
	if t.cycle.succeeded+t.cycle.failed == 0 {
		return
	}
	t.up = t.cycle.failed == 0
	up := 0.0
	if t.up {
		up = 1
	}
	t.health.Up.WithLabelValues(t.Name).Set(up)
}

func (t *target) tellHealth(now time.Time) {
	open, pending := 0, 0
	for _, s := range t.ledger.Slots(now) {
		switch s.State {
		case ledger.Open:
			open++
		case ledger.Pending:
			pending++
		case ledger.Settled, ledger.Missed:
		}
	}
	t.health.Slots.WithLabelValues(t.Name, metrics.SlotOpen).Set(float64(open))
	t.health.Slots.WithLabelValues(t.Name, metrics.SlotPending).Set(float64(pending))
	// Not before somebody has scraped what it was: slots are missed in pauses, and so at the start of a process.
	if now.Sub(t.started) >= t.hold {
		t.health.MissedSlots.WithLabelValues(t.Name).Add(float64(t.ledger.Missed() - t.told.missed))
		t.told.missed = t.ledger.Missed()
	}
	t.health.ReportRegressions.WithLabelValues(t.Name).Add(float64(t.ledger.Regressions() - t.told.regressions))
	t.told.regressions = t.ledger.Regressions()
	t.tellOverflow(metrics.DimensionToken, t.ledger.OtherRequests())
	for dimension, d := range overflowDimensions() {
		t.tellOverflow(dimension, t.ledger.Overflow(d))
	}
	t.forensicsHealth(now)
}

func overflowDimensions() map[string]ledger.Dimension {
	return map[string]ledger.Dimension{
		metrics.DimensionMethod: ledger.Method, metrics.DimensionAPI: ledger.API,
		metrics.DimensionDevice: ledger.Device, metrics.DimensionIP: ledger.IP,
	}
}

func (t *target) tellOverflow(dimension string, n int64) {
	t.health.SeriesOverflow.WithLabelValues(t.Name, dimension).Add(float64(n - t.told.overflow[dimension]))
	t.told.overflow[dimension] = n
}

func (t *target) tellStatus(now time.Time) {
	s := &Status{
		Target:        t.Name,
		Up:            t.up,
		NextCycle:     nextCycle(now, t.o.Interval),
		Requests:      t.ledger.Requests(),
		TrackedTokens: t.ledger.Tracked(),
		WindowTokens:  -1, WindowRequests: -1,
		UnderAttack:       t.attacks.shownUnderAttack,
		Forensics:         t.forensicsStatus(now),
		Errors:            append([]ErrorStatus{}, t.errors...),
		StateSaved:        t.saved,
		LastCycle:         t.last.began,
		LastCycleDuration: t.last.took,
	}
	if t.window.fresh(now, t.o.Window) && t.window.whole {
		s.WindowTokens, s.WindowRequests = t.window.tokens, t.window.requests
	}
	for _, slot := range t.ledger.Slots(now) {
		s.Slots = append(s.Slots, SlotStatus{
			From: slot.From, To: slot.To, State: string(slot.State), Requests: slot.Requests, LastRead: slot.Read,
		})
	}
	t.status.Store(s)
}

func (t *target) forensicsStatus(now time.Time) ForensicsStatus {
	c := t.forensics.plan.Coverage()
	s := ForensicsStatus{
		Enabled: t.o.Forensics && t.Forensics,
		Due:     c.Due, Covered: c.Covered, Skipped: c.Skipped, Failed: c.Failed,
	}
	if oldest := t.forensics.oldest; !oldest.IsZero() {
		s.OldestAge = now.Sub(oldest)
	}
	return s
}
