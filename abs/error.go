package abs

import (
	"context"
	"errors"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/reports"
)

// Reason classifies a failed request in one word. It is the value of the label "reason" of
// abs_exporter_report_failures_total.
type Reason string

// The reasons. They say where to look, not which line of code failed.
const (
	ReasonAuth       Reason = "auth"       // 401, 403, or keys that cannot be read
	ReasonTimeout    Reason = "timeout"    // no complete answer within Config.Timeout, or the context's deadline
	ReasonConnection Reason = "connection" // no connection, no TLS, or reset
	ReasonStatus     Reason = "status"     // any other answer that is not 2xx, redirects included
	ReasonDecode     Reason = "decode"     // the body is not the report that was requested, or incomplete
	ReasonSize       Reason = "size"       // the body is longer than twice Config.ResponseCap, or ABS answered 413
	ReasonOther      Reason = "other"      // cancelled, a window that cannot be requested, and anything else
)

// The reports, by the names that metrics, logs and errors use.
const (
	ReportTokens     = reports.KindTokens     // the token metrics of a window
	ReportForensics  = reports.KindForensics  // one token in a window
	ReportAttackList = reports.KindAttackList // the clients that ABS found attacking
	ReportAttack     = reports.KindAttack     // the attacks on one API, or across APIs
	ReportAdmin      = reports.KindAdmin      // ABS's own state
)

// Error says why a request failed. Nothing in it is from the keys, the token, the URL's query or
// the text of an answer, so it can be logged unchanged.
type Error struct {
	Report string // one of the reports
	Reason Reason
	// Status is the HTTP status that was refused; 0 where something else failed.
	Status int
	// Place is where it happened: the path of the URL, without the query, for a status that was
	// refused; host and port, and the proxy if there is one, for a connection that failed.
	Place string
	// Field is the member of the report that was refused; see reports.Fault.
	Field string
	// Offset is where in the body the reader stopped, in bytes after content decoding.
	Offset int64
	// RetryAfter is how long ABS asked to wait before the next request; 0 where it did not ask.
	RetryAfter time.Duration
	// Truncated says that the body ended before the report did.
	Truncated bool

	detail  string
	byProxy bool  // a proxy refused user and password
	cause   error // nil, or an error whose text is known to be harmless
}

// Error names the report, the place, and what happened there.
func (e *Error) Error() string {
	text := "abs: "
	if e.Report != "" {
		text += e.Report + ": "
	}
	if e.Place != "" {
		text += e.Place + ": "
	}
	text += e.detail
	if e.inBody() {
		text += reports.Position(e.Field, e.Offset)
	}
	return text
}

// bodyError returns the error of a call whose body was refused, and any other error unchanged.
func bodyError(err error) error {
	var f *reports.Fault
	if !errors.As(err, &f) {
		return err
	}
	e := &Error{Report: f.Report, Reason: ReasonDecode, Field: f.Field, Offset: f.Offset, Truncated: f.Truncated, detail: f.Detail}
	if f.TooLong {
		e.Reason = ReasonSize
	}
	return e
}

// Detail is what happened, without the report, the place and the position in the body.
func (e *Error) Detail() string { return e.detail }

// TooLong reports whether the report failed because of its length, so that a shorter window may
// succeed.
func (e *Error) TooLong() bool { return e.Reason == ReasonSize || e.Truncated }

// inBody reports whether the position in the body is part of the message.
func (e *Error) inBody() bool { return e.Reason == ReasonDecode || e.Truncated || e.Offset > 0 }

// Unwrap returns nil, context.Canceled, context.DeadlineExceeded, a system error number or the
// error of Keys; never an error of net/http, whose text may hold the URL and with it the token.
func (e *Error) Unwrap() error { return e.cause }

// ReasonOf returns the reason of an error of this package; "" for nil, ReasonTimeout for another
// error that is a deadline, and ReasonOther for any other.
func ReasonOf(err error) Reason {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Reason
	case errors.Is(err, context.DeadlineExceeded):
		return ReasonTimeout
	}
	return ReasonOther
}
