package collector

import (
	"context"
	"hash/fnv"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// auditKeep is how long settled slots wait for the audit, in intervals of it.
const auditKeep = 2

// auditAt is when the audit after now begins: once an interval, at an instant that is
// the target's own, so that many exporters do not ask at once.
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

// audit is what the audit has come to.
type audit struct {
	next       time.Time // when the next one begins
	under      bool      // one is under way: a stretch a cycle
	difference int64     // told above counted, so far
	stretches  int
}

// runAudit reads one settled stretch again, when it is time to and until there is none
// left, and tells by how much ABS's word differs from what was counted.
func (t *target) runAudit(ctx context.Context) {
	a := &t.audit
	if t.o.Audit <= 0 || ctx.Err() != nil {
		return
	}
	if a.next.IsZero() {
		a.next = auditAt(t.cycle.began, t.o.Audit, t.Name)
	}
	if !a.under && t.cycle.began.Before(a.next) {
		return
	}
	if !a.under {
		*a = audit{next: auditAt(t.cycle.began, t.o.Audit, t.Name), under: true}
	}
	due, ok := t.ledger.DueAudit()
	if !ok {
		a.under = false
		if a.stretches > 0 {
			t.health.AuditDifference.WithLabelValues(t.Name).Set(float64(a.difference))
			t.log.Info("audit done", "stretches", a.stretches, "difference_requests", a.difference)
		}
		return
	}
	reading := t.ledger.BeginAudit(due, t.clock.Now())
	_, err := t.ABS.Tokens(ctx, abs.Window(due.Span), func(row *abs.Row) error {
		reading.Add(t.ids.ID(row.Token), row)
		return nil
	})
	if err != nil {
		t.ledger.Discard(reading)
		switch {
		case ctx.Err() != nil:
		case refusal(err) == ledger.Unavailable:
			t.failure("an audit could not be read", err, "it is tried again in the next cycle; no counter depends on it")
		default:
			t.ledger.SkipAudit(due)
			t.failure("an audit could not be read as one report", err, span(due.Span)+" is left out of the audit; no counter depends on it")
		}
		return
	}
	difference := t.ledger.ApplyAudit(reading, due)
	a.stretches++
	a.difference += difference
	switch {
	case difference > 0:
		t.log.Warn("the audit found requests that ABS told of after their slots had settled; they are counted under "+metrics.Other,
			"slots", span(due.Span), "requests", difference, "see", "--collect.settle")
	case difference < 0:
		t.log.Warn("the audit found that ABS tells less than it did when the slots settled; nothing is counted back",
			"slots", span(due.Span), "requests", -difference)
	}
}
