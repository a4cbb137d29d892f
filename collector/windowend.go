package collector

import (
	"context"
	"fmt"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// windowEndCheck compares two adjoining settled windows with their union, once a process: whether
// --abs.window-end is what ABS does.
type windowEndCheck struct {
	*wiring
	done    bool
	next    time.Time // not before
	differs int       // how often in a row they did not add up
}

// poll implements report. A difference is logged when it was found twice, since ABS may have added
// requests in between.
func (k *windowEndCheck) poll(ctx context.Context, c *cycle) (publish bool) {
	if k.done || c.failed > 0 || c.began.Before(k.next) {
		return false
	}
	early, late := k.adjoining(c.began)
	union := ledger.Span{From: early.From, To: late.To}
	var requests [3]int64
	for i, s := range []ledger.Span{early, union, late} {
		summary, err := k.readTokens(ctx, c, s, func(tokenid.ID, *abs.Row) {})
		if err != nil {
			if ctx.Err() == nil && k.tooLarge(err) {
				k.done = true // too large to be read; the audit looks at the seams between slots too
				k.log.Info("window end not checked", "err", err, "consequence", "--abs.window-end is taken as it is set")
			}
			return false
		}
		if k.truncated(summary) {
			k.done = true // rows were left out: sums say nothing
			return false
		}
		requests[i] = summary.RowRequests
	}
	switch difference := requests[0] + requests[2] - requests[1]; {
	case requests == [3]int64{}: // nothing to compare yet
		k.next = c.began.Add(k.options.Slot)
	case difference == 0:
		k.done = true
		k.log.Debug("window end checked", "requests", requests[1])
	case k.differs == 0:
		k.differs++
	default:
		k.done = true
		k.failures.Add("adjoining windows do not add up",
			fmt.Errorf("%s: %d and %d requests, together %d", spanText(union), requests[0], requests[2], requests[1]),
			windowEndAdvice(difference, k.Inclusive))
	}
	return false
}

// windowEndAdvice returns what follows from a difference between the sum of two windows and their
// union.
func windowEndAdvice(difference int64, inclusive bool) string {
	set := abs.Exclusive
	if inclusive {
		set = abs.Inclusive
	}
	switch should, explained := abs.WindowEndOf(difference, set); {
	case !explained:
		return "requests near the ends of slots may be missing or counted twice; the setting of --abs.window-end does not explain it, look at --abs.timezone and at what ABS answers"
	case should == abs.Inclusive:
		return "requests in the minute between two slots are counted twice: ABS seems to take the minute of later_date into the window; set --abs.window-end=inclusive"
	default:
		return "requests in the minute between two slots are not counted: ABS seems to leave the minute of later_date out of the window; set --abs.window-end=exclusive"
	}
}

// adjoining returns two windows, next to each other and settled.
func (k *windowEndCheck) adjoining(now time.Time) (early, late ledger.Span) {
	zone := ledger.Zone{Location: k.Location, Inclusive: k.Inclusive}
	late = zone.Slot(now.Add(-k.options.Settle-k.options.Slot), k.options.Slot)
	for now.Sub(late.To) < k.options.Settle {
		late = zone.Slot(late.From.Add(-time.Minute), k.options.Slot)
	}
	return zone.Slot(late.From.Add(-time.Minute), k.options.Slot), late
}
