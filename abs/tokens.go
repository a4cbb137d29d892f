package abs

import (
	"io"
	"time"
)

const nameTokens = "oauth_token_metrics" // #nosec G101 -- the name of a report

// readTokens reads the oauthtokens report row by row; no row is kept. limit is of the body
// in bytes, 0 for none. Rows have been handed out when a later part of the body is refused,
// so on an error the caller drops all of them.
//
// The error is an *Error, the error of row, or the error of body as it is.
func (r *rowReader) readTokens(body io.Reader, limit int64, loc *time.Location, row func(*Row) error) (Summary, error) {
	const (
		name = iota
		earlier
		later
		summary
		details
	)
	r.reset(body, limit, ReportTokens)
	var (
		sum     Summary
		seen    members
		message bool
	)
	if !r.document() {
		return Summary{Bytes: r.read()}, r.err
	}
	for key, more := r.open(); more; key, more = r.next() {
		switch string(key) {
		case "name":
			r.once(&seen, name, "name")
			r.checkName(nameTokens)
		case "earlier_date":
			r.once(&seen, earlier, "earlier_date")
			sum.Earlier = r.date(loc)
		case "later_date":
			r.once(&seen, later, "later_date")
			sum.Later = r.date(loc)
		case "summary":
			r.once(&seen, summary, "summary")
			r.tokensSummary(&sum)
		case "details":
			r.once(&seen, details, "details")
			r.rows(&sum, row)
		case "message":
			message = true
			r.skip(1)
		default:
			r.skip(1)
		}
		if r.err != nil {
			break
		}
		r.at = ""
	}
	r.finish()
	if r.err == nil && seen&(1<<name) == 0 {
		r.unnamed(message)
	}
	sum.Bytes = r.read()
	if r.err != nil {
		return Summary{Bytes: sum.Bytes}, r.err
	}
	return sum, nil
}

func (r *rowReader) tokensSummary(sum *Summary) {
	const (
		tokens = iota
		totalRequests
		both = 1<<tokens | 1<<totalRequests
	)
	if r.err != nil || r.null() {
		return
	}
	r.section, r.at = "summary", ""
	var seen members
	for key, more := r.open(); more; key, more = r.next() {
		switch string(key) {
		case "tokens":
			r.once(&seen, tokens, "tokens")
			sum.Tokens = r.count()
		case "total_requests":
			r.once(&seen, totalRequests, "total_requests")
			sum.Requests = r.count()
		default:
			r.skip(2)
		}
		if r.err != nil {
			return
		}
		r.at = ""
	}
	if r.err == nil {
		sum.HasSummary = seen == both
		r.section = ""
	}
}

func (r *rowReader) rows(sum *Summary, row func(*Row) error) {
	if r.err != nil || r.null() {
		return
	}
	r.section, r.at = "details", ""
	for more := r.openArray(); more; more = r.nextElement() {
		r.rowAt++
		r.row(2, true)
		if r.err != nil {
			return
		}
		sum.Rows++
		if sum.RowRequests += r.rowOf.Requests; sum.RowRequests > maxCount {
			r.at = "total_requests"
			r.fail(r.offset(), "the rows add up to more than 2^53")
			return
		}
		if err := row(&r.rowOf); err != nil {
			r.err = err
			return
		}
	}
	if r.err == nil {
		r.section, r.rowAt = "", -1
	}
}
