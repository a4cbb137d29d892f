package abs

import (
	"io"
	"time"
)

const nameTokens = "oauth_token_metrics" // #nosec G101 -- the name of a report

// readTokens reads the oauthtokens report row by row and keeps no row. limit is the largest body in
// bytes, 0 for none. Rows have been passed to row when a later part of the body is refused, so on
// an error the caller drops all of them.
//
// The error is an *Error, the error of row, or the error of body as it is.
func (r *reportReader) readTokens(body io.Reader, limit int64, loc *time.Location, row func(*Row) error) (Summary, error) {
	r.reset(body, limit, ReportTokens)
	var sum Summary
	sum.Earlier, sum.Later = r.document(
		nameTokens, loc,
		func() {
			sum.HasSummary = r.summary(
				summaryCount{"tokens", &sum.Tokens},
				summaryCount{"total_requests", &sum.Requests},
			)
		},
		func() { r.rows(&sum, row) },
	)
	sum.Date = r.clock
	if r.err != nil {
		sum = Summary{}
	}
	sum.Bytes = r.read()
	return sum, r.err
}

// rows reads details.
func (r *reportReader) rows(sum *Summary, row func(*Row) error) {
	var sums [len(r.sums)]int64 // as in reportReader, of all rows
	for range r.elements() {
		r.rowAt++
		r.row(2, true)
		if r.err != nil {
			return
		}
		sum.Rows++
		if sum.RowRequests += r.current.Requests; sum.RowRequests > maxCount {
			r.at = "total_requests"
			r.fail(r.offset(), "the rows add up to more than 2^53")
			return
		}
		for kind, n := range r.sums {
			if sums[kind] += n; sums[kind] > maxCount && kind != sumURLs {
				r.at = "ip_list"
				r.fail(r.offset(), "the counts of the rows add up to more than 2^53")
				return
			}
		}
		if r.err = row(&r.current); r.err != nil {
			return
		}
	}
	r.rowAt = -1
}
