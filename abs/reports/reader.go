package reports

import (
	"cmp"
	"io"
	"net/netip"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/admin"
)

// The kinds of reports, by the names that metrics, logs and errors use.
const (
	KindTokens     = "oauthtokens" // the token metrics of a window
	KindForensics  = "forensics"   // one token in a window
	KindAttackList = "attacklist"  // the clients that ABS found attacking
	KindAttack     = "attack"      // the attacks on one API, or across APIs
	KindAdmin      = "admin"       // ABS's own state
)

// Options are what a Reader makes of reports. The zero value is fine.
type Options struct {
	// Location is the time zone of ABS's wall clock; nil is UTC.
	Location *time.Location
	// URLs, unless nil: rows have their URLs, by the names that it appends to dst. It is called with
	// the token of the row, or without one, and then again with the name that it returned, which it
	// must return as it is but for the token.
	URLs func(dst, url, token []byte) []byte
	// IP: rows have the counts of this address only, but for Row.Requests, and none where it is not in
	// the row. The zero value: of all addresses.
	IP netip.Addr
}

// Reader reads any of the reports, one after the other, and keeps its buffers between them. It is
// not safe for concurrent use.
//
// Each method takes a body and the largest length of it in bytes, 0 for none. Its error is a
// *Fault, the error of a callback, or the error of body, both unchanged. On an error the result is
// the zero value but for its length.
type Reader struct {
	r   *reportReader
	loc *time.Location
}

// NewReader returns a Reader.
func NewReader(o Options) *Reader {
	r := newReportReader()
	r.nameURL, r.onlyIP = o.URLs, o.IP
	return &Reader{r: r, loc: cmp.Or(o.Location, time.UTC)}
}

// Tokens reads the oauthtokens report and calls row for each of its rows; the row is valid until
// row returns. Rows have been passed to row when a later part of the body is refused, so on an
// error the caller drops all of them.
func (r *Reader) Tokens(body io.Reader, limit int64, row func(*Row) error) (Summary, error) {
	return r.r.readTokens(body, limit, r.loc, row)
}

// Forensics reads the report about one token.
func (r *Reader) Forensics(body io.Reader, limit int64) (Forensics, error) {
	return r.r.readForensics(body, limit, r.loc)
}

// AttackList reads the attack list; a token is valid until flagged returns.
func (r *Reader) AttackList(body io.Reader, limit int64, flagged func(token []byte) error) (AttackSummary, error) {
	return r.r.readAttackList(body, limit, flagged)
}

// Attacks reads the attack report, of one API or across APIs.
func (r *Reader) Attacks(body io.Reader, limit int64, flagged func(FlaggedToken) error) (AttackSummary, error) {
	return r.r.readAttacks(body, limit, flagged)
}

// Admin reads the admin report.
func (r *Reader) Admin(body io.Reader, limit int64) (admin.Report, error) {
	return r.r.readAdmin(body, limit, r.loc)
}

// Bytes returns how much of the last body was read.
func (r *Reader) Bytes() int64 { return r.r.Read() }

// Begun reports whether anything but white space was read of the last body.
func (r *Reader) Begun() bool { return r.r.Begun() }

// Reset drops what belongs to the last report, buffers that it made unusually large included.
func (r *Reader) Reset() { r.r.release() }
