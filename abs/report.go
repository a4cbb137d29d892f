package abs

import "time"

// Window is the time that a report covers: whole minutes, From included, To not,
// whatever ABS makes of its own later_date (see Config.WindowEnd).
type Window struct{ From, To time.Time }

// WindowUntil returns the window of the given length whose last minute is the last whole one before
// now: ABS refuses a window that ends in the future. Both ends keep the location of now.
func WindowUntil(now time.Time, length time.Duration) Window {
	to := now.Truncate(time.Minute)
	return Window{From: to.Add(-length).Truncate(time.Minute), To: to}
}

// Count is one entry of ABS's maps from a name to a number of requests, such as
// methods: {"GET": 2}. The key is only good until the row's callback returns.
type Count struct {
	Key []byte
	N   int64
}

// Row is one element of the details of the oauthtokens report: the requests of one
// token. A token may have several rows in one report; they are to be added up.
// Everything in it is reused for the next row.
//
// The maps of all entries of ip_list follow one another, so that a key occurs as
// often as there are IPs that used it.
type Row struct {
	Token    []byte
	Requests int64 // total_requests of the row
	IPs      []Count
	Methods  []Count
	APIs     []Count
	Devices  []Count
}

// Summary is what the oauthtokens report says of itself.
type Summary struct {
	Tokens, Requests int64     // summary.tokens, summary.total_requests
	HasSummary       bool      // false: a member of the line above was not there, and is 0
	Earlier, Later   time.Time // as echoed: not always what was asked; zero where absent or unreadable
	Rows             int64
	RowRequests      int64 // the sum of Row.Requests
	Bytes            int64 // of the body, after content decoding
}

// Finding is one attack or anomaly type and the APIs it was seen on; "all" is ABS's
// own word for one across APIs.
type Finding struct {
	Type string
	APIs []string
}

// Forensics is the report about one token.
type Forensics struct {
	HasSummary                   bool      // false: a member of the next line was not there, and is 0
	Requests, Attacks, Anomalies int64     // summary.total_requests, total_attacks, total_anomalies
	AttackTypes, AnomalyTypes    []Finding // in the order of the report
	Earlier, Later               time.Time
	Metrics                      Row // details.metrics; empty where absent. Not reused.
	Bytes                        int64
}

// FlaggedToken is a token that the attack report names: a suspect, to be asked about first. What it
// says of a type is ABS's spelling; "all" is its own word for an attack across APIs.
type FlaggedToken struct {
	Token           []byte // only good until the callback returns; obfuscated for the restricted user
	AttackType, API string // "" where the report does not say
}

// AttackSummary is what was found in an attack list or an attack report.
type AttackSummary struct {
	Tokens int64 // tokens handed out; one may come more than once
	Unread int64 // entries of the lists in which no token could be found
	Lists  int64 // lists of tokens that are in the answer, empty ones included
	Bytes  int64 // of the body, after content decoding
}
