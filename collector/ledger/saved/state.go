// Package saved has what a ledger saves, and whether that can be what one saved. It is data: the
// ledger saves itself and restores itself from it.
package saved

import (
	"time"

	"github.com/abs-exporter/abs-exporter/collector/ledger/audit"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// State is all that a ledger must know to continue after a restart, in a form that gob writes fast.
// It holds token ids, no tokens.
type State struct {
	StateSettings
	StateTimes

	Labels   [counts.NumDimensions][]counts.Value // by index, without Other
	Counters counts.CountersState                 // the total, the other tokens, then the tracked ones
	Health   map[string]CountRecord
	Slots    []SlotRecord
	Readings uint64
	Audit    audit.State
}

// StateSettings is what was counted with. Where the configuration differs by now, Restore makes
// sure that no series has what was counted while it was not there.
type StateSettings struct {
	Dimensions []counts.Dimension
	Tokens     bool   // there were series of tokens
	Zone       string // of ABS's wall clock
	Inclusive  bool
}

// StateTimes is what slots are opened, read and closed by.
type StateTimes struct {
	Start        Start
	Next, Newest time.Time
	Length       time.Duration
	Clock        time.Duration // of activity
	LastGain     time.Time
	Resumed      time.Time // the end of the last pause in which nothing new arrived
	Held         uint64    // the last reading that held requests

	Wall        time.Time // of the last Advance
	Elapsed     time.Duration
	ABS         time.Time     // what ABS's clock showed at Wall; zero: not known
	Fresh       bool          // no slot was dropped since counting began
	ProbeLength time.Duration // that spans which were answered 500 were split to
	ProbeProven int64
}

// CountRecord is one counter.
type CountRecord struct{ Value, FirstExposed int64 }

// SlotRecord is a slot.
type SlotRecord struct {
	From, To, Read, Proven time.Time
	Ended                  time.Duration // the ledger's own time at its end
	State                  string
	Total                  counts.State // one
	Counted                TokenCountsState
	Spans                  []SpanRecord
	Largest, Bytes         int64
	Baseline               bool
	Without                []counts.Dimension
	Cuts                   []time.Time
	Audit                  audit.Slot
}

// SpanRecord is a span of an open slot.
type SpanRecord struct {
	From, To, Read                          time.Time
	Reading                                 uint64
	Timeouts                                int
	Failed, Settled, Baseline, OtherCounted bool
	Empty                                   bool
	Last                                    *TokenCountsState // nil: none
}

// TokenCountsState is the counts of the other tokens and then of the tracked ones, in the order of
// State.Counters; none before the first reading.
type TokenCountsState struct{ counts.State }

// How far a slot is, by SlotRecord.State.
const (
	Open     = metrics.SlotOpen
	Settled  = "settled"
	Unproven = "unproven"
	Missed   = "missed"
)

// Start is where counting began without state (rule 8).
type Start struct {
	// From is the minute from which on all requests are counted. Of earlier ones, those are counted
	// that ABS added to its reports after Began, in the slots that were not settled then.
	From  time.Time
	Began time.Time // when the first cycle began
}
