package reports

import "time"

// Count is one entry of ABS's maps from a name to a number of requests, such as methods: {"GET":
// 2}. The key is valid until the row's callback returns.
type Count struct {
	Key []byte
	N   int64
}

// Other is the key of a Count that stands for all names that a row had no room for.
const Other = "_other"

// Row is one element of the details of the oauthtokens report: the requests of one token. A token
// may have several rows in one report; they add up. The memory of a row is reused for the next one.
//
// The maps of all entries of ip_list follow one another, so a key occurs once for each IP that used
// it. Of a row with very many names the busiest remain, in descending order of their requests, and
// Other has the requests of the rest.
type Row struct {
	Token    []byte
	Requests int64 // total_requests of the row
	IPs      []Count
	Methods  []Count
	APIs     []Count
	Devices  []Count
	URLs     []Count // none without Options.URLs
}

// SkipReason says what is wrong with a row that was left out. It is the value of the label "reason"
// of abs_exporter_report_rows_skipped_total.
type SkipReason string

// The reasons to leave a row out.
const (
	SkipToken SkipReason = "token" // it names no token: absent, null, empty, or no text
	SkipCount SkipReason = "count" // a count is absent, negative, not whole, past 2^53, or no number
	SkipShape SkipReason = "shape" // it is no object, a member is of another type, or comes twice
)

// Skipped are the rows of a report that were left out. One row that cannot be read says nothing of
// the others; but a report with more than ten such rows that are more than one in ten fails.
type Skipped struct {
	Token, Count, Shape int64
	// Unknown is how many of them name a token, or have a count that cannot be read.
	Unknown int64
	// Requests is the sum of their total_requests, as far as these can be read.
	Requests int64
	First    *Fault // why the first one was left out; nil if none was
}

// Rows returns how many rows were left out.
func (s *Skipped) Rows() int64 { return s.Token + s.Count + s.Shape }

// Oddities are what is odd about an answer that was read all the same.
type Oddities struct {
	Skipped Skipped
	// OtherDates says that the dates of the report are not those that were requested, to the minute.
	// No page says how ABS echoes them. Dates that are absent or unreadable are not odd.
	OtherDates bool
	// OtherToken says that a forensics report names another token than the requested one.
	OtherToken bool
}

// Summary is what the oauthtokens report says of itself, and what was read of it.
type Summary struct {
	Tokens, Requests int64     // summary.tokens, summary.total_requests
	HasSummary       bool      // false: a member of the line above was absent, and is 0
	Earlier, Later   time.Time // as echoed: not always what was requested; zero where absent or unreadable
	Rows             int64     // without those of Skipped
	RowRequests      int64     // the sum of Row.Requests
	Bytes            int64     // of the body, after content decoding
	Clock            Clock
	Oddities
}

// Clock is what an answer shows of ABS's clock.
type Clock struct {
	Date           time.Time // the answer's header, in whole seconds; zero where absent
	Sent, Received time.Time // when the request was sent and the header came, by our clock
}

// Skew returns ABS's clock less ours, and by how much that may be wrong: the header has whole
// seconds and was written at some time between the request and the answer. ok is false where the
// answer had no date.
func (c Clock) Skew() (skew, uncertainty time.Duration, ok bool) {
	if c.Date.IsZero() {
		return 0, 0, false
	}
	least, most := c.Date.Sub(c.Received), c.Date.Add(time.Second).Sub(c.Sent)
	return (least + most) / 2, (most - least) / 2, true
}

// NoRows reports whether the report has no rows, not even such as were left out.
func (s *Summary) NoRows() bool { return s.Rows+s.Skipped.Rows() == 0 }

// Empty reports whether the report has neither a summary nor rows: nobody knows whether that is
// what ABS answers about an empty window.
func (s *Summary) Empty() bool { return !s.HasSummary && s.NoRows() }

// Truncated reports whether ABS seems to have left rows out for the length of the report: the rows,
// those of Skipped included, have fewer requests than the summary, and the body is at nine tenths
// of ABS's limit or more.
func (s *Summary) Truncated(responseCap int64) bool {
	return s.HasSummary && s.RowRequests+s.Skipped.Requests < s.Requests && s.Bytes >= responseCap/10*9
}

// Finding is one attack or anomaly type and the APIs that it was seen on; "all" is ABS's own word
// for one across APIs.
type Finding struct {
	Type string
	APIs []string
}

// Forensics is the report about one token.
type Forensics struct {
	HasSummary                   bool      // false: a member of the next line was absent, and is 0
	Requests, Attacks, Anomalies int64     // summary.total_requests, total_attacks, total_anomalies
	AttackTypes, AnomalyTypes    []Finding // in the order of the report
	Earlier, Later               time.Time
	Metrics                      Row // details.metrics; empty where absent or skipped. Not reused.
	Bytes                        int64
	Oddities
}

// FlaggedToken is a token that the attack report names, with the attack type in ABS's spelling; the
// API "all" is ABS's own word for an attack across APIs.
type FlaggedToken struct {
	Token           []byte // valid until the callback returns; obfuscated for the restricted user
	AttackType, API string // "" where the report does not say
	// FirstAccess and LastAccess are the oldest and the newest access time of the entry, in ABS's wall
	// clock as if it were UTC. Zero where the report has none that can be read.
	FirstAccess, LastAccess time.Time
}

// AttackSummary is what was found in an attack list or an attack report.
type AttackSummary struct {
	Tokens int64 // tokens passed to the callback; one token may occur more than once
	Unread int64 // entries of the lists in which no token was found
	Lists  int64 // lists of tokens in the answer, empty ones included
	Bytes  int64 // of the body, after content decoding
}
