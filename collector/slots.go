package collector

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
)

func parseDimensions(names []string) ([]ledger.Dimension, error) {
	var all []ledger.Dimension
	for _, name := range names {
		i := slices.IndexFunc(ledger.Dimensions(), func(d ledger.Dimension) bool { return d.String() == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no dimension %q: there are %v", name, ledger.Dimensions())
		}
		all = append(all, ledger.Dimensions()[i])
	}
	return all, nil
}

// readSlots reads the slots that are due, oldest first. Once the interval is used up,
// what has ended already waits for the next cycle.
func (t *target) readSlots(ctx context.Context) {
	t.ledger.Advance(t.cycle.began)
	for _, job := range t.ledger.Due(t.cycle.began) {
		if ctx.Err() != nil {
			return
		}
		if !job.Current && t.clock.Now().Sub(t.cycle.began) > t.o.Interval {
			continue
		}
		t.readSlot(ctx, job)
		t.turn()
	}
}

func (t *target) readSlot(ctx context.Context, job ledger.Job) {
	reading, summary, err := t.read(ctx, job)
	if err != nil {
		t.slotFailed(ctx, job, err)
		return
	}
	t.cycle.succeeded++
	if t.truncated(summary) {
		if halves, ok := t.ledger.Halves(job); ok && !t.readHalves(ctx, job, halves, summary) {
			t.ledger.Discard(reading)
			return
		}
	}
	t.count(reading, job, summary)
}

// read asks for a job's report and gathers its rows; nothing is counted yet.
func (t *target) read(ctx context.Context, job ledger.Job) (*ledger.Reading, abs.Summary, error) {
	reading := t.ledger.Begin(job, t.clock.Now())
	summary, err := t.ABS.Tokens(ctx, abs.Window(job.Span), func(row *abs.Row) error {
		reading.Add(t.ids.ID(row.Token), row)
		return nil
	})
	if err != nil {
		t.ledger.Discard(reading)
		return nil, summary, err
	}
	return reading, summary, nil
}

// truncated tells that ABS seems to have left rows out for the length of its answer.
func (t *target) truncated(s abs.Summary) bool {
	return s.HasSummary && s.RowRequests < s.Requests && ledger.ResponseCap(t.ResponseCap).Truncates(s.Bytes)
}

// readHalves reads a truncated slot in halves and keeps them if they bring what was
// left out: if their summaries add up to the whole's. It returns true if they don't, and
// the whole is to be counted as it stands. As long as a half cannot be read, nobody
// knows, and the whole counts as not read either: it might be settled by half of its
// rows otherwise.
func (t *target) readHalves(ctx context.Context, job ledger.Job, halves [2]ledger.Job, whole abs.Summary) bool {
	early, earlySummary, err := t.read(ctx, halves[0])
	if err != nil {
		t.slotFailed(ctx, job, err)
		return false
	}
	late, lateSummary, err := t.read(ctx, halves[1])
	if err != nil {
		t.ledger.Discard(early)
		t.slotFailed(ctx, job, err)
		return false
	}
	if earlySummary.Requests+lateSummary.Requests < whole.Requests {
		t.ledger.Discard(early)
		t.ledger.Discard(late)
		t.ledger.KeepWhole(job)
		return true
	}
	t.ledger.Split(job)
	t.countHalf(early, halves[0], earlySummary)
	t.countHalf(late, halves[1], lateSummary)
	return false
}

// countHalf counts a half, unless it is truncated itself: then it waits for its own
// halves in the next cycle.
func (t *target) countHalf(reading *ledger.Reading, job ledger.Job, s abs.Summary) {
	if _, ok := t.ledger.Halves(job); ok && t.truncated(s) {
		t.ledger.Discard(reading)
		return
	}
	t.count(reading, job, s)
}

func (t *target) count(reading *ledger.Reading, job ledger.Job, s abs.Summary) {
	out := t.ledger.Apply(reading, s.Bytes)
	now := t.clock.Now()
	if out.Gain > 0 {
		t.health.LastNewRequests.WithLabelValues(t.Name).Set(float64(now.Unix()))
		late := max(0, now.Sub(out.SlotEnd))
		t.health.RequestDelay.With(t.Name).ObserveN(late.Seconds(), out.Gain)
	}
	t.log.Debug("slot read", "from", job.From, "to", job.To, "rows", s.Rows, "told", s.RowRequests,
		"counted", out.Gain, "settled", out.Settled)
	if out.Regressed {
		t.log.Info("ABS tells less of a slot, or of a token in it, than before; nothing is counted back", "from", job.From, "to", job.To)
	}
}

func (t *target) slotFailed(ctx context.Context, job ledger.Job, err error) {
	if ctx.Err() != nil {
		return // cut by the end of the process, not by ABS
	}
	if !t.ledger.Failed(job, refusal(err)) {
		// Not a failure of the cycle: it would stand for as long as the minute is tried.
		t.failure("a slot cannot be read although it is as short as can be", err,
			span(job.Span)+" stays uncounted; the others go on, and it is tried again until --collect.max-backfill")
		return
	}
	t.cycle.failed++
	t.failure("a slot could not be read", err, "the counters stand still for "+span(job.Span)+" until it is read in the next cycle; nothing is lost")
}

// refusal tells whether a shorter window might be had.
func refusal(err error) ledger.Refusal {
	var e *abs.Error
	if !errors.As(err, &e) {
		return ledger.Unavailable
	}
	switch {
	case e.Reason == abs.ReasonSize, e.Truncated:
		return ledger.TooLarge
	case e.Reason == abs.ReasonTimeout:
		return ledger.TimedOut
	default:
		return ledger.Unavailable
	}
}

func span(s ledger.Span) string {
	const layout = "2006-01-02T15:04Z"
	return s.From.UTC().Format(layout) + " to " + s.To.UTC().Format(layout)
}
