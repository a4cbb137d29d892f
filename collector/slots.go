package collector

import (
	"context"
	"errors"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// slotReports are the reports that feed the counters.
type slotReports struct {
	*wiring
	began time.Time // of the last cycle
}

// poll implements report: it reads the slots that are due, oldest first. Once the interval is used
// up, what has ended already waits for the next cycle.
func (r *slotReports) poll(ctx context.Context, c *cycle) (publish bool) {
	r.ledger.Advance(c.began, elapsed(r.began, c.began, r.options))
	r.began = c.began
	for _, job := range r.ledger.Due(c.began) {
		if ctx.Err() != nil {
			break
		}
		if !job.Current && r.clock.Now().Sub(c.began) > r.options.Interval {
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

// errNoRows is no error of the package abs: the window's gauges need the summary only.
var errNoRows = errors.New("the summary counts requests, but the report has no rows")

func (r *slotReports) read(ctx context.Context, c *cycle, job ledger.Job) {
	reading := r.ledger.Begin(job, r.clock.Now())
	summary, err := r.readInto(ctx, job.Span, reading)
	if job.Twice && refusal(err) == ledger.ServerError {
		reading = r.ledger.Begin(job, r.clock.Now())
		summary, err = r.readInto(ctx, job.Span, reading)
	}
	if err == nil && summary.Requests > 0 && summary.Rows == 0 {
		r.ledger.Discard(reading)
		err = errNoRows
	}
	if err != nil {
		r.failed(ctx, c, job, err)
		return
	}
	c.succeeded++
	if !summary.HasSummary && summary.Rows == 0 {
		r.ledger.ApplyNothing(reading)
		r.log.Debug("slot report is empty", "from", job.From, "to", job.To,
			"consequence", "it has neither a summary nor rows and proves nothing; the slot stays open")
		return
	}
	if r.truncated(summary) {
		if halves, ok := r.ledger.Halves(job); ok && !r.readHalves(ctx, c, job, halves, summary) {
			r.ledger.Discard(reading)
			return
		}
	}
	r.apply(ctx, c, reading, job, summary)
}

// probe requests the beginning of a span that ABS answers 500 while it answers others. Nothing is
// counted from it: the span itself was not read.
func (r *slotReports) probe(ctx context.Context, c *cycle, job ledger.Job) {
	if _, err := r.readTokens(ctx, job.Span, func(tokenid.ID, *abs.Row) {}); err != nil {
		r.failed(ctx, c, job, err)
		return
	}
	c.failed++
	if r.ledger.ProbeRead(job) {
		r.log.Info("slot split", "from", job.From, "into_minutes", job.Minutes(),
			"consequence", "ABS answers 500 to longer reports of it, and is asked for shorter ones")
	}
}

// readHalves reads a truncated span in halves and keeps them if they hold what was left out: if
// their summaries add up to the whole's. It returns true if they don't, and the whole is to be
// counted as it stands. As long as a half cannot be read, nobody knows, and the whole counts as not
// read either: it might be settled by half of its rows otherwise.
func (r *slotReports) readHalves(ctx context.Context, c *cycle, job ledger.Job, halves [2]ledger.Job, whole abs.Summary) bool {
	var readings [2]*ledger.Reading
	var summaries [2]abs.Summary
	var requests int64
	for i, half := range halves {
		readings[i] = r.ledger.Begin(half, r.clock.Now())
		var err error
		if summaries[i], err = r.readInto(ctx, half.Span, readings[i]); err != nil {
			if i == 1 {
				r.ledger.Discard(readings[0])
			}
			r.failed(ctx, c, job, err)
			return false
		}
		requests += summaries[i].Requests
	}
	if requests < whole.Requests {
		r.ledger.Discard(readings[0])
		r.ledger.Discard(readings[1])
		r.ledger.KeepWhole(job)
		return true
	}
	r.ledger.Split(job)
	for i, half := range halves {
		// A half that is truncated itself waits for its own halves in the next cycle.
		if _, ok := r.ledger.Halves(half); ok && r.truncated(summaries[i]) {
			r.ledger.Discard(readings[i])
			continue
		}
		r.apply(ctx, c, readings[i], half, summaries[i])
	}
	return false
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
	if !r.ledger.Failed(job, refusal(err)) {
		// Not a failure of the cycle: it would last for as long as the minute is tried.
		r.failures.add("slot of one minute not read", err,
			spanText(job.Span)+" stays uncounted; the others go on, and it is tried again until --collect.max-backfill")
		return
	}
	c.failed++
	r.failures.add("slot not read", err, "the counters stand still for "+spanText(job.Span)+" until it is read in the next cycle; nothing is lost")
}
