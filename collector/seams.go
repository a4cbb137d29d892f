package collector

import (
	"context"
	"fmt"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
)

// seams is whether two adjoining windows were found to add up to their union: whether
// --abs.window-end is what ABS does.
type seams struct {
	done    bool
	next    time.Time // not before
	differs int       // how often in a row they did not add up
}

// checkSeams holds two adjoining settled windows against their union, once a process.
// A difference is told when it was found twice, since ABS may have added in between.
func (t *target) checkSeams(ctx context.Context) {
	if t.seams.done || t.cycle.failed > 0 || t.cycle.began.Before(t.seams.next) || ctx.Err() != nil {
		return
	}
	early, late := t.adjoining(t.cycle.began)
	union := ledger.Span{From: early.From, To: late.To}
	var told [3]int64
	for i, s := range []ledger.Span{early, union, late} {
		summary, err := t.ABS.Tokens(ctx, abs.Window(s), func(*abs.Row) error { return nil })
		if err != nil {
			if ctx.Err() == nil && refusal(err) != ledger.Unavailable {
				t.seams.done = true // too large to be asked; the audit will look at seams
				t.log.Info("whether windows add up could not be checked: their report is too large", "err", err)
			}
			return
		}
		if t.truncated(summary) {
			t.seams.done = true // rows were left out: sums say nothing
			return
		}
		told[i] = summary.RowRequests
	}
	if told[1] == 0 && told[0]+told[2] == 0 { // nothing to be told yet
		t.seams.next = t.cycle.began.Add(t.o.Slot)
		return
	}
	difference := told[0] + told[2] - told[1]
	if difference == 0 {
		t.seams.done = true
		t.log.Debug("adjoining windows add up to their union", "requests", told[1])
		return
	}
	if t.seams.differs++; t.seams.differs < 2 {
		return
	}
	t.seams.done = true
	t.failure("two adjoining windows do not add up to their union", fmt.Errorf("%s: %d and %d requests, together %d", span(union), told[0], told[2], told[1]),
		seamAdvice(difference, t.Inclusive))
}

// seamAdvice is what a difference between the sum of two windows and their union tells.
func seamAdvice(difference int64, inclusive bool) string {
	switch {
	case difference > 0 && !inclusive:
		return "requests in the minute between two slots are counted twice: ABS seems to take the minute of later_date into the window; set --abs.window-end=inclusive"
	case difference < 0 && inclusive:
		return "requests in the minute between two slots are not counted: ABS seems to leave the minute of later_date out of the window; set --abs.window-end=exclusive"
	default:
		return "requests near the ends of slots may be missing or counted twice; the setting of --abs.window-end does not explain it, look at --abs.timezone and at what ABS answers"
	}
}

// adjoining are two windows, next to each other and settled.
func (t *target) adjoining(now time.Time) (early, late ledger.Span) {
	zone := ledger.Zone{Location: t.Location, Inclusive: t.Inclusive}
	late = zone.Slot(now.Add(-t.o.Settle-t.o.Slot), t.o.Slot)
	for now.Sub(late.To) < t.o.Settle {
		late = zone.Slot(late.From.Add(-time.Minute), t.o.Slot)
	}
	return zone.Slot(late.From.Add(-time.Minute), t.o.Slot), late
}
