package reports

import (
	"fmt"
	"io"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/jsonscan"
)

const nameTokens = "oauth_token_metrics" // #nosec G101 -- the name of a report

// readTokens reads the oauthtokens report row by row and keeps no row. limit is the largest body in
// bytes, 0 for none. Rows have been passed to row when a later part of the body is refused, so on
// an error the caller drops all of them.
//
// The error is a *Fault, the error of row, or the error of body as it is.
func (r *reportReader) readTokens(body io.Reader, limit int64, loc *time.Location, row func(*Row) error) (Summary, error) {
	r.reset(body, limit, KindTokens)
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
	if r.Err() != nil {
		sum, r.Oddities = Summary{}, Oddities{}
	}
	sum.Oddities = r.Oddities
	sum.Bytes = r.Read()
	return sum, r.Err()
}

// Bad rows make a report fail if they are more than maxBadRows and more than one in badRowShare.
const (
	maxBadRows  = 10
	badRowShare = 10
)

// rows reads details.
func (r *reportReader) rows(sum *Summary, row func(*Row) error) {
	var sums [dimensions]int64 // of the counts of all rows
	for range r.Elements() {
		r.rowAt++
		whole := r.row(2, true)
		if r.Err() != nil {
			return
		}
		if !whole {
			r.skipRow()
			continue
		}
		sum.Rows++
		if sum.RowRequests += r.current.Requests; sum.RowRequests > jsonscan.MaxCount {
			r.at = "total_requests"
			r.Fail(r.Offset(), "the rows add up to more than 2^53")
			return
		}
		for d := range r.names {
			if sums[d] += r.names[d].sum; sums[d] > jsonscan.MaxCount && d != urls {
				r.at = "ip_list"
				r.Fail(r.Offset(), "the counts of the rows add up to more than 2^53")
				return
			}
		}
		r.Stop(row(&r.current))
	}
	r.rowAt = -1
	bad := r.Skipped.Rows()
	if all := sum.Rows + bad; bad > maxBadRows && bad*badRowShare > all {
		e := *r.Skipped.First
		e.Detail = fmt.Sprintf("%d of %d rows cannot be read, the first because %s", bad, all, e.Detail)
		r.Stop(&e)
	}
}
