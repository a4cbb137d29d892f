package collector

import (
	"context"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// readTokens requests the token report of a span and hands over its rows, each with the id of its
// token. Keys that ABS refuses end the cycle.
func (w *wiring) readTokens(ctx context.Context, c *cycle, s ledger.Span, row func(tokenid.ID, *abs.Row)) (abs.Summary, error) {
	summary, err := w.ABS.Tokens(ctx, abs.Window(s), func(r *abs.Row) error {
		row(w.ids.ID(r.Token), r)
		return ctx.Err() // a report may be very long
	})
	w.countEmpty(summary, err)
	w.heartbeat()
	w.ledger.SawABS(summary.Clock.Date)
	w.absClock.saw(summary.Clock)
	switch {
	case err == nil:
		w.failures.ReportAnswered(abs.ReportTokens)
		w.absClock.held(s, summary.RowRequests, w.clock.Now())
	case abs.ReasonOf(err) == abs.ReasonAuth:
		c.refused = true
	}
	return summary, err
}

// countEmpty counts a token report with neither a summary nor rows.
func (w *wiring) countEmpty(s abs.Summary, err error) {
	if err == nil && s.Empty() {
		w.health.EmptyReports.WithLabelValues(w.Name, abs.ReportTokens).Inc()
	}
}

// readInto requests the token report of a span for a reading, which is discarded if that fails.
func (w *wiring) readInto(ctx context.Context, c *cycle, s ledger.Span, r *ledger.Reading) (abs.Summary, error) {
	summary, err := w.readTokens(ctx, c, s, r.Add)
	if err != nil {
		w.ledger.Discard(r)
	}
	return summary, err
}

// check discards a reading that would take a counter past 2^53. It counts as a report that could
// not be decoded: no ABS has counted so many requests.
func (w *wiring) check(r *ledger.Reading) error {
	err := w.ledger.Check(r)
	if err != nil {
		w.ledger.Discard(r)
		w.health.ReportFailures.WithLabelValues(w.Name, abs.ReportTokens, string(abs.ReasonDecode)).Inc()
	}
	return err
}

// truncated reports whether ABS seems to have left rows out for the length of its answer.
func (w *wiring) truncated(s abs.Summary) bool {
	return s.Truncated(w.ResponseCap)
}

// tooLarge reports whether a report failed for its length, as far as is known.
func (w *wiring) tooLarge(err error) bool {
	switch ledger.RefusalOf(err) {
	case ledger.Unavailable:
		return false
	case ledger.ServerError:
		return w.ledger.RefusesLongReports()
	default:
		return true
	}
}

// spanText is a span as log lines and errors write it.
func spanText(s ledger.Span) string {
	const layout = "2006-01-02T15:04Z"
	return s.From.UTC().Format(layout) + " to " + s.To.UTC().Format(layout)
}
