package collector

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// slotReports are the reports that feed the counters.
type slotReports struct {
	*wiring
	began time.Time // of the last cycle
	cut   bool      // it had no time for all that was due
}

// poll implements report: it reads the slots that are due, as far as the cycle has time.
func (r *slotReports) poll(ctx context.Context, c *cycle) (publish bool) {
	r.ledger.Advance(c.began, elapsed(r.began, c.began, r.options))
	r.began = c.began
	jobs := r.ledger.Due(c.began)
	if r.cut {
		slices.SortFunc(jobs, ledger.LongestWaiting)
	}
	r.cut = false
	for _, job := range jobs {
		if ctx.Err() != nil || c.refused {
			break
		}
		if r.noTime(c, job) {
			r.cut = true
			continue
		}
		if job.Probe {
			r.probe(ctx, c, job)
		} else {
			r.read(ctx, c, job)
		}
		r.heartbeat()
	}
	if ctx.Err() == nil {
		r.ledger.Close()
	}
	return true
}

// noTime reports whether a job waits for the next cycle, so that findings get what is left of this
// one. The slot that runs never waits, and one that was never read since its end waits less when it
// has come near to --collect.max-backfill.
func (r *slotReports) noTime(c *cycle, job ledger.Job) bool {
	limit := r.options.Interval / 2
	if job.Urgent {
		limit = r.options.Interval
	}
	return !job.Current && r.clock.Now().Sub(c.began) >= limit
}

// errNoRows is no error of the package abs: the window's gauges need the summary only.
var errNoRows = errors.New("the summary counts requests, but the report has no rows")

func (r *slotReports) read(ctx context.Context, c *cycle, job ledger.Job) {
	reading := r.ledger.Begin(job, r.clock.Now())
	summary, err := r.readInto(ctx, c, job.Span, reading)
	if job.Twice && ledger.RefusalOf(err) == ledger.ServerError {
		reading = r.ledger.Begin(job, r.clock.Now())
		summary, err = r.readInto(ctx, c, job.Span, reading)
	}
	if err == nil && summary.Requests > 0 && summary.NoRows() {
		r.ledger.Discard(reading)
		err = errNoRows
	}
	if err != nil {
		r.failed(ctx, c, job, err)
		return
	}
	c.succeeded++
	if summary.Empty() {
		r.ledger.ApplyNothing(reading)
		r.log.Debug("slot report is empty", "from", job.From, "to", job.To,
			"consequence", "it has neither a summary nor rows and proves nothing; the slot stays open")
		return
	}
	if r.truncated(summary) {
		if halves, ok := r.ledger.Halves(job); ok {
			r.ledger.Discard(reading)
			r.readHalves(ctx, c, job, halves, summary)
			return
		}
	}
	r.apply(ctx, c, reading, job, summary)
}

// probe requests the beginning of a span that ABS answers 500 while it answers others. Nothing is
// counted from it: the span itself was not read.
func (r *slotReports) probe(ctx context.Context, c *cycle, job ledger.Job) {
	if _, err := r.readTokens(ctx, c, job.Span, func(tokenid.ID, *abs.Row) {}); err != nil {
		r.failed(ctx, c, job, err)
		return
	}
	c.failed++
	if r.ledger.ProbeRead(job) {
		r.log.Info("slot split", "from", job.From, "into_minutes", job.Minutes(),
			"consequence", "ABS answers 500 to longer reports of it; shorter ones are requested")
	}
}

// readHalves reads a truncated span in halves and keeps them if they hold what was left out: if
// their summaries add up to the whole's. Otherwise they are of a node that is behind, and are read
// again in the next cycle. The whole counts as not read either way: it might be settled, or be a
// baseline, by half of its rows otherwise.
func (r *slotReports) readHalves(ctx context.Context, c *cycle, job ledger.Job, halves [2]ledger.Job, whole abs.Summary) {
	var readings [2]*ledger.Reading
	var summaries [2]abs.Summary
	var requests int64
	for i, half := range halves {
		readings[i] = r.ledger.Begin(half, r.clock.Now())
		var err error
		if summaries[i], err = r.readInto(ctx, c, half.Span, readings[i]); err != nil {
			if i == 1 {
				r.ledger.Discard(readings[0])
			}
			r.failed(ctx, c, job, err)
			return
		}
		requests += summaries[i].Requests
	}
	r.ledger.Split(job)
	for i, half := range halves {
		// A half that is truncated itself waits for its own halves in the next cycle.
		_, splits := r.ledger.Halves(half)
		if requests < whole.Requests || splits && r.truncated(summaries[i]) {
			r.ledger.Discard(readings[i])
			continue
		}
		r.apply(ctx, c, readings[i], half, summaries[i])
	}
}

func (r *slotReports) apply(ctx context.Context, c *cycle, reading *ledger.Reading, job ledger.Job, s abs.Summary) {
	if err := r.check(reading); err != nil {
		r.failed(ctx, c, job, err)
		return
	}
	out := r.ledger.Apply(reading, s.Bytes)
	now := r.clock.Now()
	if out.Gain > 0 {
		r.health.LastNewRequests.WithLabelValues(r.Name).Set(float64(now.Unix()))
		delay := max(0, now.Sub(out.SlotEnd))
		r.health.RequestDelay.With(r.Name).ObserveN(delay.Seconds(), out.Gain)
	}
	r.log.Debug("slot read", "from", job.From, "to", job.To, "rows", s.Rows, "reported", s.RowRequests,
		"counted", out.Gain, "settled", out.Settled)
	if out.Regressed {
		r.log.Info("slot regressed", "from", job.From, "to", job.To,
			"consequence", "ABS reports fewer requests of it, or of a token in it, than before; no counter falls")
	}
}

func (r *slotReports) failed(ctx context.Context, c *cycle, job ledger.Job, err error) {
	if ctx.Err() != nil {
		return // cut by the end of the process, not by ABS
	}
	if !r.ledger.Failed(job, ledger.RefusalOf(err)) {
		// Not a failure of the cycle: it would last for as long as the minute is tried.
		r.failures.Add("slot of one minute not read", err,
			spanText(job.Span)+" stays uncounted; the others go on, and it is tried again until --collect.max-backfill")
		return
	}
	c.failed++
	consequence := "the counters stand still until it is read in a later cycle; nothing is lost"
	if c.refused {
		consequence += "; nothing else is requested in this cycle"
	}
	r.failures.ReportFailed(abs.ReportTokens, err, consequence, "window_from", job.From.UTC(), "window_to", job.To.UTC())
}
