package collector

import (
	"context"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/findings"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/collector/windowcounts"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// maxWindowSpans bounds into how many reports the sliding window is split.
const maxWindowSpans = 64

// windowReport is the report of the sliding window: gauges, and which tokens there are to ask
// forensics about.
type windowReport struct {
	*wiring
	findings *findings.Findings

	spans int // in how many reports the window is read
	tried time.Time
	ok    bool // the last try succeeded

	// Of the last complete reading.
	read      time.Time // when it began; zero: never
	hasTotals bool      // one report that had a summary
	tokens    int64     // summary.tokens
	requests  int64     // summary.total_requests
	exposed   []metrics.Block
}

// poll implements report: it reads the window when it is due.
func (r *windowReport) poll(ctx context.Context, c *cycle) (publish bool) {
	if age := c.began.Sub(r.tried); r.ok && age >= 0 && age < r.options.reread() {
		return false
	}
	r.tried, r.ok = c.began, false
	began := r.clock.Now()
	window := ledger.Span(abs.WindowUntil(began, r.options.Window))
	observer := r.findings.ObserveWindow(c.began)
	counts := windowcounts.New()
	var last abs.Summary
	var longest int64
	truncated, complete := false, true
	for _, span := range splitEvenly(window, r.spans) {
		s, err := r.readTokens(ctx, c, span, func(id tokenid.ID, row *abs.Row) {
			counts.Add(id, row, r.ledger.IsTracked(id))
			observer.Row(id, row.Token, row.Requests)
		})
		if err != nil {
			r.failed(ctx, c, err)
			return false
		}
		c.succeeded++
		r.ledger.Answered()
		last = s
		longest = max(longest, s.Bytes)
		truncated = truncated || r.truncated(s)
		complete = complete && isComplete(s)
	}
	r.read, r.ok, r.hasTotals = began, true, r.spans == 1 && last.HasSummary
	r.tokens, r.requests = last.Tokens, last.Requests
	r.expose(window, max(0, last.Requests-last.RowRequests), counts)
	switch {
	case truncated && r.spans < maxWindowSpans:
		r.spans *= 2
	case r.ledger.Merges(longest):
		r.spans = max(1, r.spans/2)
	}
	observer.Done(abs.Window(window), complete)
	r.heartbeat()
	return true
}

// isComplete reports whether a report has all that its summary counts: a token that it lacks is not
// in the window. Rows that were left out count towards that with what they report, but for one that
// names a token or has no count to be read. A report with neither summary nor rows proves nothing.
func isComplete(s abs.Summary) bool {
	return s.RowRequests+s.Skipped.Requests >= s.Requests && s.Skipped.Unknown == 0 && !s.Empty()
}

func (r *windowReport) failed(ctx context.Context, c *cycle, err error) {
	if ctx.Err() != nil {
		return
	}
	c.failed++
	if r.tooLarge(err) && r.spans < maxWindowSpans {
		r.spans *= 2
	}
	r.failures.ReportFailed(abs.ReportTokens, err, "the gauges of the window hold their last value, for --collect.window at most")
}

// splitEvenly splits a span into n of whole minutes.
func splitEvenly(s ledger.Span, n int) []ledger.Span {
	n = max(1, min(n, s.Minutes()))
	spans := make([]ledger.Span, 0, n)
	for i := range n {
		spans = append(spans, ledger.Span{
			From: s.From.Add(time.Duration(s.Minutes()*i/n) * time.Minute),
			To:   s.From.Add(time.Duration(s.Minutes()*(i+1)/n) * time.Minute),
		})
	}
	return spans
}

// fresh reports whether the last reading may still be exposed.
func (r *windowReport) fresh(now time.Time) bool {
	return !r.read.IsZero() && now.Sub(r.read) <= r.options.Window
}

// showLast exposes the last reading of another one until there is one of its own.
func (r *windowReport) showLast(of *windowReport) {
	r.spans, r.read, r.hasTotals, r.tokens, r.requests, r.exposed = of.spans, of.read, of.hasTotals, of.tokens, of.requests, of.exposed
}

// totals returns the tokens and requests of the window, -1 where nobody knows them.
func (r *windowReport) totals(now time.Time) (tokens, requests int64) {
	if !r.fresh(now) || !r.hasTotals {
		return -1, -1
	}
	return r.tokens, r.requests
}

// gauges returns what may still be exposed of the last reading.
func (r *windowReport) gauges(now time.Time) []metrics.Block {
	if !r.fresh(now) {
		return nil
	}
	return r.exposed
}

// expose renders the families of the last reading once, for all commits until the next one.
func (r *windowReport) expose(window ledger.Span, unattributed int64, counts *windowcounts.Counts) {
	gauge := func(f *metrics.Family, value int64) metrics.Block {
		series := metrics.NewSeries(f, time.Time{}, r.Name)
		return metrics.Block{Family: f, Samples: []metrics.Sample{{Series: series, Value: value}}}
	}
	r.exposed = []metrics.Block{
		gauge(metrics.WindowSeconds, int64(window.To.Sub(window.From)/time.Second)), gauge(metrics.WindowIPs, counts.IPs()),
	}
	if r.hasTotals {
		r.exposed = append(r.exposed, gauge(metrics.WindowTokens, r.tokens), gauge(metrics.WindowRequests, r.requests),
			gauge(metrics.WindowUnattributedRequests, unattributed))
	}
	if r.options.MaxTokens == 0 {
		return
	}
	r.exposed = append(r.exposed, counts.PerToken(r.Name)...)
}
