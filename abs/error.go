package abs

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Reason says in one word why a report could not be had. It is the label "reason" of
// abs_exporter_report_failures_total.
type Reason string

// The reasons. They say where to look, not which line of code failed.
const (
	ReasonAuth       Reason = "auth"       // 401, 403, or keys that cannot be read
	ReasonTimeout    Reason = "timeout"    // no whole answer within Config.Timeout, or the context's deadline
	ReasonConnection Reason = "connection" // no connection, no TLS, or reset
	ReasonStatus     Reason = "status"     // any other answer that is not 2xx, redirects included
	ReasonDecode     Reason = "decode"     // the body is not the report that was asked for, or not all of it
	ReasonSize       Reason = "size"       // the body is past twice Config.ResponseCap, or ABS answered 413
	ReasonOther      Reason = "other"      // cancelled, a window that cannot be asked for, and what else there is
)

// The reports, by the names that metrics, logs and errors use: the label "report" of
// abs_exporter_report_failures_total and its siblings.
const (
	ReportTokens     = "oauthtokens" // the token metrics of a window
	ReportForensics  = "forensics"   // one token in a window
	ReportAttackList = "attacklist"  // the clients that ABS found attacking
	ReportAttack     = "attack"      // the attacks on one API, or across APIs
)

// Error is why a report could not be had. Nothing in it comes from the keys, the token,
// the URL's query or the text of an answer, so that it can be logged as it is.
type Error struct {
	Report string // ReportTokens, ReportForensics, ReportAttackList or ReportAttack
	Reason Reason
	// Status is the HTTP status that was refused; 0 where another thing went wrong.
	Status int
	// Field is the member of the report that was refused, such as
	// details[3].ip_list[0].methods. Keys of ABS's maps are not named in it: they are data.
	// Where an answer is an array of reports, its index comes first: [2].access_tokens[0].
	Field string
	// Offset is where in the body, in bytes after content decoding, the reader gave up.
	Offset int64
	// RetryAfter is how long ABS asked to be left alone; 0 where it did not ask.
	RetryAfter time.Duration
	// Truncated says that the body ended before the report did.
	Truncated bool

	detail string
	cause  error // nil, or an error whose text is known to be harmless
}

// Error says what happened to which report.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("abs: ")
	if e.Report != "" {
		b.WriteString(e.Report)
		b.WriteString(": ")
	}
	b.WriteString(e.detail)
	if e.inBody() {
		b.WriteString(" (")
		if e.Field != "" {
			b.WriteString(e.Field)
			b.WriteString(", ")
		}
		b.WriteString("byte ")
		b.WriteString(strconv.FormatInt(e.Offset, 10))
		b.WriteByte(')')
	}
	return b.String()
}

// inBody says whether the error happened at a place in the body that is worth telling.
func (e *Error) inBody() bool { return e.Reason == ReasonDecode || e.Truncated || e.Offset > 0 }

// Unwrap gives context.Canceled, context.DeadlineExceeded, a system error number or the
// error of Keys; never an error of net/http, whose text may hold the URL and with it the
// token.
func (e *Error) Unwrap() error { return e.cause }

// ReasonOf is the reason of an error of this package: "" for nil, ReasonOther for an error
// that is not of this package.
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
