package collector

import (
	"context"
	"errors"
	"hash/fnv"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// auditKeep is how long settled slots wait for the audit, in intervals of it: they are read twice,
// an interval apart, and may just have missed the first.
const auditKeep = 3

// auditReadings is how many readings a cycle has for the audit: about those of a stretch.
const auditReadings = 5

// auditTries is in how many cycles something is tried that ABS answers with nothing to compare.
const auditTries = 3

// audit reads settled slots again and compares them with what was counted: once an interval, a few
// readings a cycle, until none is left.
type audit struct {
	*wiring
	tries int // of what is due, answered with nothing to compare
}

func newAudit(w *wiring) *audit {
	a := &audit{wiring: w}
	a.expose()
	return a
}

// auditAt returns when the audit after now begins: once an interval, at an instant that is the
// target's own, so that many exporters do not ask at once.
func auditAt(now time.Time, interval time.Duration, target string) time.Time {
	h := fnv.New64a()
	_, _ = h.Write([]byte(target)) // cannot fail
	phase := time.Duration(h.Sum64()>>1) % interval
	at := now.Truncate(interval).Add(phase)
	if !at.After(now) {
		at = at.Add(interval)
	}
	return at
}

// poll implements report.
func (a *audit) poll(ctx context.Context, c *cycle) (publish bool) {
	interval := a.options.Audit
	if interval <= 0 || !a.ledger.StartAudit(c.began, auditAt(c.began, interval, a.Name)) {
		return false
	}
	for range auditReadings {
		if a.clock.Now().Sub(c.began) >= a.options.Interval/2 {
			break // findings need the rest
		}
		due, ok := a.ledger.DueAudit(interval / 2)
		if !ok {
			a.end()
			break
		}
		if !a.read(ctx, c, due) {
			break
		}
		a.heartbeat()
	}
	return false
}

func (a *audit) end() {
	reports := a.ledger.EndAudit()
	if found, ok := a.ledger.LastAudit(); ok && reports > 0 {
		a.expose()
		a.log.Info("audit done", "readings", reports, "missing_requests", found.Missing, "surplus_requests", found.Surplus)
	}
}

func (a *audit) expose() {
	if found, ok := a.ledger.LastAudit(); ok {
		a.health.AuditMissing.WithLabelValues(a.Name).Set(float64(found.Missing))
		a.health.AuditSurplus.WithLabelValues(a.Name).Set(float64(found.Surplus))
	}
}

// errNothingToCompare is of a report without a summary and without rows: nobody knows whether that
// is what ABS reports of an empty window.
var errNothingToCompare = errors.New("a report with neither summary nor rows")

// read reads and compares what is due. It returns false if the audit is to wait for the next cycle.
func (a *audit) read(ctx context.Context, c *cycle, due ledger.Audit) bool {
	reading := a.ledger.BeginAudit(due, a.clock.Now())
	empty := true
	for _, span := range due.Reports {
		summary, err := a.readInto(ctx, c, span, reading)
		if err != nil {
			a.failed(ctx, due, err)
			return false
		}
		if a.truncated(summary) {
			a.ledger.Discard(reading)
			a.ledger.SkipAudit(due, true) // rows were left out: sums say nothing
			return true
		}
		empty = empty && summary.Empty()
	}
	if empty {
		a.ledger.Discard(reading)
		a.failed(ctx, due, errNothingToCompare)
		return false
	}
	if err := a.check(reading); err != nil {
		a.failed(ctx, due, err)
		return false
	}
	a.tries = 0
	a.record(due, a.ledger.ApplyAudit(reading, due))
	return true
}

func (a *audit) record(due ledger.Audit, found ledger.Difference) {
	switch {
	case found.Missing > 0:
		a.log.Warn("audit found uncounted requests", "slots", spanText(due.Span), "at_seams", due.Seams(), "requests", found.Missing,
			"consequence", "ABS reported them after their slots had settled; they are counted under "+metrics.Other, "see", "--collect.settle")
	case found.Surplus > 0:
		a.log.Warn("audit found surplus requests", "slots", spanText(due.Span), "at_seams", due.Seams(), "requests", found.Surplus,
			"consequence", "ABS reports fewer than were counted; no counter falls")
	}
}

func (a *audit) failed(ctx context.Context, due ledger.Audit, err error) {
	if ctx.Err() != nil {
		return
	}
	if r := ledger.RefusalOf(err); r == ledger.TooLarge || r == ledger.TimedOut {
		a.ledger.SkipAudit(due, true)
		a.failures.Add("audit too large to be read", err, spanText(due.Span)+" is left out of the audit; no counter depends on it")
		return
	}
	// A 500 and an empty report may be all that ABS ever answers here; other failures pass.
	if ledger.RefusalOf(err) == ledger.ServerError || errors.Is(err, errNothingToCompare) || errors.Is(err, ledger.ErrTooMany) {
		a.tries++
	}
	if a.tries < auditTries {
		a.failures.Add("audit not read", err, "it is tried again in the next cycle; no counter depends on it")
		return
	}
	a.tries = 0
	a.ledger.SkipAudit(due, false)
	a.failures.Add("audit not read", err, spanText(due.Span)+" waits for the next audit; no counter depends on it")
}
