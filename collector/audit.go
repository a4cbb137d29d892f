package collector

import (
	"context"
	"hash/fnv"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// auditKeep is how long settled slots wait for the audit, in intervals of it.
const auditKeep = 2

// audit reads settled stretches again and compares them with what was counted: one stretch a cycle,
// until none is left, once an interval.
type audit struct {
	*wiring
	next       time.Time // when the next audit begins
	running    bool
	difference int64 // reported less counted, so far
	stretches  int
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
	if a.options.Audit <= 0 {
		return false
	}
	if a.next.IsZero() {
		a.next = auditAt(c.began, a.options.Audit, a.Name)
	}
	if !a.running {
		if c.began.Before(a.next) {
			return false
		}
		a.next, a.running = auditAt(c.began, a.options.Audit, a.Name), true
		a.difference, a.stretches = 0, 0
	}
	due, ok := a.ledger.DueAudit()
	if !ok {
		a.running = false
		if a.stretches > 0 {
			a.health.AuditDifference.WithLabelValues(a.Name).Set(float64(a.difference))
			a.log.Info("audit done", "stretches", a.stretches, "difference_requests", a.difference)
		}
		return false
	}
	reading := a.ledger.BeginAudit(due, a.clock.Now())
	if _, err := a.readInto(ctx, due.Span, reading); err != nil {
		a.failed(ctx, due, err)
		return false
	}
	a.record(due, a.ledger.ApplyAudit(reading, due))
	return false
}

// gauges implements report.
func (*audit) gauges(time.Time) []metrics.Block { return nil }

func (a *audit) record(due ledger.Audit, difference int64) {
	a.stretches++
	a.difference += difference
	switch {
	case difference > 0:
		a.log.Warn("audit found uncounted requests", "slots", spanText(due.Span), "requests", difference,
			"consequence", "ABS reported them after their slots had settled; they are counted under "+metrics.Other, "see", "--collect.settle")
	case difference < 0:
		a.log.Warn("audit found surplus requests", "slots", spanText(due.Span), "requests", -difference,
			"consequence", "ABS reports fewer than when the slots settled; no counter falls")
	}
}

func (a *audit) failed(ctx context.Context, due ledger.Audit, err error) {
	switch {
	case ctx.Err() != nil:
	case !a.tooLarge(err):
		a.failures.add("audit not read", err, "it is tried again in the next cycle; no counter depends on it")
	default:
		a.ledger.SkipAudit(due)
		a.failures.add("audit too large to be read", err, spanText(due.Span)+" is left out of the audit; no counter depends on it")
	}
}
