package reports

import (
	"io"
	"iter"
	"net/netip"
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/jsonscan"
)

// reportReader reads any of the reports, one after the other, and keeps its buffers between them.
// Like its scanner it does nothing after its first error, so callers check once, at the end.
type reportReader struct {
	*jsonscan.Scanner
	position
	Oddities
	rowReader
	nameURL func(dst, url, token []byte) []byte // Options.URLs
	onlyIP  netip.Addr                          // rows have the counts of this address only, if it is valid
}

func newReportReader() *reportReader {
	r := &reportReader{}
	r.Scanner = jsonscan.New(r.refused)
	return r
}

// reset prepares the reader for another body.
func (r *reportReader) reset(body io.Reader, limit int64, report string) {
	r.Reset(body, limit)
	r.position = position{report: report, rowAt: -1, ipAt: -1, topAt: -1}
	r.Oddities = Oddities{}
}

// refused returns the error for a body that the scanner refuses.
func (r *reportReader) refused(f jsonscan.Failure) error {
	e := &Fault{Report: r.report, Field: r.path(), Offset: f.Offset, Detail: f.Detail}
	switch f.Kind {
	case jsonscan.TooLong:
		e.TooLong, e.Field = true, ""
	case jsonscan.Early:
		e.Truncated = true
	}
	return e
}

// members yields the names of an object's members, up to the end or a failure. The loop's body must
// consume the value of each and may set at.
func (r *reportReader) members() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for key, more := r.Open(); more; key, more = r.Next() {
			if !yield(key) {
				return
			}
			r.at = ""
		}
	}
}

// seenMembers is the set of an object's members that were read. A count that occurs twice is
// refused, because nothing says which one is meant.
type seenMembers uint16

// once adds the member and fails if it is in the set already.
func (r *reportReader) once(seen *seenMembers, bit int, name string) {
	r.at = name
	if *seen&(1<<bit) != 0 {
		r.Fail(r.Offset(), "the member comes twice")
	}
	*seen |= 1 << bit
}

// document reads a report that is one object with the given name. summary and details read the
// values of these members; they are not called where the member is absent or null. The dates are
// zero where they are absent or unreadable.
func (r *reportReader) document(wantName string, loc *time.Location, summary, details func()) (earlier, later time.Time) {
	const (
		name = iota
		earlierDate
		laterDate
		summaryMember
		detailsMember
	)
	r.Begin()
	if !r.beginsObject() {
		return earlier, later
	}
	section := func(name string, read func()) {
		if !r.Null() {
			r.section, r.at = name, ""
			read()
			r.section = ""
		}
	}
	var (
		seen    seenMembers
		message bool
	)
	for key := range r.members() {
		switch string(key) {
		case "name":
			r.once(&seen, name, "name")
			r.checkName(wantName)
		case "earlier_date":
			r.once(&seen, earlierDate, "earlier_date")
			earlier = r.date(loc)
		case "later_date":
			r.once(&seen, laterDate, "later_date")
			later = r.date(loc)
		case "summary":
			r.once(&seen, summaryMember, "summary")
			section("summary", summary)
		case "details":
			r.once(&seen, detailsMember, "details")
			section("details", details)
		case "message":
			message = true
			r.Skip(1)
		default:
			r.Skip(1)
		}
	}
	r.Finish()
	if r.Err() == nil && seen&(1<<name) == 0 {
		if message {
			r.failMessage()
		} else {
			r.at = "name"
			r.Fail(r.Offset(), "the answer does not say which report it is")
		}
	}
	return earlier, later
}

// beginsObject reports whether the body begins as an object; otherwise it fails and says what the
// body is, such as the web page of a proxy.
func (r *reportReader) beginsObject() bool {
	switch c := r.Peek(); {
	case c == '{':
		return true
	case c == '<':
		r.Fail(r.Offset(), "the answer is a web page (HTML or XML), not a report")
	case c == '[':
		r.Fail(r.Offset(), "the answer is an array, not a report")
	case r.AtEnd():
		r.Ended()
	default:
		r.Fail(r.Offset(), "the answer is not JSON")
	}
	return false
}

// failMessage refuses an answer that is a message of ABS. The text is not repeated: it may echo the
// token.
func (r *reportReader) failMessage() {
	r.Fail(r.Offset(), "ABS answered with a message instead of a report")
}

// checkName reads the name of the report and fails if it is not the one that was requested.
func (r *reportReader) checkName(want string) {
	at := r.StartOf()
	if r.Peek() != '"' {
		r.Expected("a string")
		return
	}
	switch got := string(r.Str()); {
	case r.Err() != nil || got == want:
	case isKnownReport(got):
		r.Fail(at, "this is the report "+got+", not "+want)
	default:
		r.Fail(at, "this is another report than "+want)
	}
}

// isKnownReport reports whether ABS is known to use the name. Only such a name is repeated in an
// error: anything else is data.
func isKnownReport(name string) bool { return slices.Contains(knownReports, name) }

var knownReports = []string{
	nameTokens, nameForensics, nameAttack,
	"api_key_metrics", "username_metrics", "api_abs_api_key", "api_abs_username", "api_abs_cookie", "api_abs_ip",
	"api_metrics", nameAdmin, "api_anomalies", "api_anomaly_type", "api_blockedconnections", "api_flowcontrol",
	"api_backend_errors", "api_discovery_summary",
}

// summaryCount is a member of summary and where to store it.
type summaryCount struct {
	name string
	n    *int64
}

// summary reads the counts and reports whether all of them are there.
func (r *reportReader) summary(counts ...summaryCount) bool {
	var seen seenMembers
	for key := range r.members() {
		i := slices.IndexFunc(counts, func(c summaryCount) bool { return c.name == string(key) })
		if i < 0 {
			r.Skip(2)
			continue
		}
		r.once(&seen, i, counts[i].name)
		at := r.StartOf()
		n, problem := r.Count(2)
		if problem != "" {
			r.Fail(at, problem)
		}
		*counts[i].n = n
	}
	return seen == 1<<len(counts)-1
}

// release drops what belongs to the last report, buffers that it made unusually large included.
func (r *reportReader) release() {
	r.releaseRow()
	r.reset(nil, 0, "")
	r.Release(maxKept / 8)
}
