package backfill

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
)

const (
	// tries is how often a report is requested that fails: for about four minutes.
	tries = 10
	// refusedTries is after how many answers of status 500 a window is split.
	refusedTries = 3

	firstWait, longestWait = time.Second, time.Minute
	// longestRetryAfter is the longest wait that ABS may ask for.
	longestRetryAfter = 10 * time.Minute
)

// errSplit is of a report that is requested in shorter ones at once.
var errSplit = errors.New("the window is split")

// errNoRows is of a report that would lose requests.
var errNoRows = errors.New("the summary counts requests, but the report has no rows")

// retry calls do until it succeeds. A failure is tried again after a while, tries times at most,
// and one of the keys never.
func (h *history) retry(ctx context.Context, s ledger.Span, do func() error) error {
	for try, wait := 1, firstWait; ; try, wait = try+1, min(2*wait, longestWait) {
		err := do()
		for errors.Is(err, errSplit) {
			err = do()
		}
		var failed *abs.Error
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("interrupted at %s", s.From.UTC().Format(time.RFC3339))
		case try >= tries, abs.ReasonOf(err) == abs.ReasonAuth, errors.Is(err, errMinute), errors.Is(err, ledger.ErrTooMany):
			return fmt.Errorf("the window from %s to %s cannot be read, and what follows it is missing: %w", s.From.UTC().Format(time.RFC3339), s.To.UTC().Format(time.RFC3339), err)
		case errors.As(err, &failed):
			wait = max(wait, min(failed.RetryAfter, longestRetryAfter))
		}
		h.o.Log.Warn("report failed", "target", h.Name, "window_from", s.From.UTC(), "window_to", s.To.UTC(), "err", err,
			"consequence", "it is requested again after "+wait.String())
		if err := h.o.Clock.Sleep(ctx, wait); err != nil {
			return fmt.Errorf("interrupted at %s", s.From.UTC().Format(time.RFC3339))
		}
	}
}

// reports reads what is due of the window that ends at a time. The ledger splits what ABS refuses.
func (h *history) reports(ctx context.Context, to time.Time) error {
	for _, job := range h.ledger.Due(to) {
		err := h.report(ctx, job, to)
		if err == nil {
			h.refused = 0
			continue
		}
		if errors.Is(err, errSplit) || ctx.Err() != nil {
			return err
		}
		why := ledger.RefusalOf(err)
		if why == ledger.ServerError {
			why = ledger.Unavailable
			if h.refused++; h.refused > refusedTries && job.Minutes() > 1 {
				why = ledger.TooLarge
			}
		}
		switch splits := h.ledger.Failed(job, why); {
		case !splits:
			return fmt.Errorf("%w: %w", errMinute, err)
		case why == ledger.TooLarge:
			return errSplit
		}
		return err
	}
	return nil
}

// errMinute is of a report that cannot be split any more.
var errMinute = errors.New("not even a minute can be read")

// report reads and counts one report.
func (h *history) report(ctx context.Context, job ledger.Job, to time.Time) error {
	l := h.ledger
	r := l.Begin(job, to)
	summary, err := h.ABS.Tokens(ctx, abs.Window(job.Span), func(row *abs.Row) error {
		r.Add(h.ids.ID(row.Token), row)
		return ctx.Err() // a report may be very long
	})
	_, splits := l.Halves(job)
	switch {
	case err != nil:
	case summary.Requests > 0 && summary.NoRows():
		err = errNoRows
	case splits && summary.Truncated(h.ResponseCap):
		l.Split(job)
		err = errSplit
	default:
		err = l.Check(r)
	}
	switch {
	case err != nil:
		l.Discard(r)
	case summary.Empty():
		l.ApplyNothing(r)
		h.saved.Nothing++
	default:
		l.Apply(r, summary.Bytes)
	}
	return err
}
