// Package admin reads ABS's admin report: licence, APIs, nodes and time zone.
package admin

import "time"

// Report is ABS's own state, its names and words as long as values of labels at most. A member that
// is missing or not understood is nil, empty or zero: an absent member must not look like a no.
type Report struct {
	License    License
	AcrossAPIs *bool     // across_api_prediction_mode
	APIs       []API     // in the order of the report, each name once, 1,000 at most; nil: it has no apis
	Nodes      []Node    // of the ABS cluster, each name once, 100 at most
	MongoDB    []MongoDB // likewise
	Timezone   string    // ABS's own word, such as "utc" or "local"
	Omitted    int       // APIs and nodes past those bounds
}

// License is license_info of the admin report.
type License struct {
	Tier            string // such as Free or Subscription
	Expiry          time.Time
	Expired         *bool
	Transactions    *int64 // of the current month
	MaxTransactions *int64 // a month; 0: unlimited
}

// API is an API as the admin report has it.
type API struct {
	Name            string
	Type            string        // regular, decoy-incontext or decoy-outcontext
	TracksTokens    *bool         // token: whether ABS tracks OAuth2 tokens on it
	Prediction      *bool         // prediction_mode: whether ABS detects attacks on it
	TrainingStarted time.Time     // zero for n/a
	Training        time.Duration // training_duration; 0 for n/a
}

// Node is a node of the ABS cluster.
type Node struct {
	Name           string // its address, as far as the report has one
	OS             string
	CPUs           *int64
	Memory         *int64   // in bytes
	FilesystemUsed *float64 // a share of 1
}

// MongoDB is a node of ABS's MongoDB, as ABS sees it.
type MongoDB struct {
	Name, Type string
	Up         bool
}
