package collector

import (
	"time"

	"github.com/abs-exporter/abs-exporter/collector/findings"
)

// Status is what the status page shows of one target, as of the last commit.
type Status struct {
	Target string
	Up     bool // the last cycle got its reports
	// LastCycle is when the last finished cycle began; zero before the first.
	LastCycle         time.Time
	LastCycleDuration time.Duration
	NextCycle         time.Time
	Requests          int64 // counted in total
	TrackedTokens     int
	Slots             []SlotStatus // oldest first; the last few settled and missed ones too
	WindowTokens      int64        // of the window report; -1 where unknown
	WindowRequests    int64        // likewise
	FlaggedTokens     int64        // -1 where unknown
	Forensics         ForensicsStatus
	Admin             AdminStatus
	Errors            []ErrorStatus // newest first
	StateSaved        time.Time     // zero: never, or there is no state directory
}

// SlotStatus is one slot.
type SlotStatus struct {
	From, To time.Time
	State    string // open, pending, settled, unproven, missed
	Requests int64  // counted from it
	LastRead time.Time
}

// ForensicsStatus counts the tokens of the window by the state of their forensics.
type ForensicsStatus struct {
	Enabled                       bool
	Due, Covered, Skipped, Failed int
	OldestAge                     time.Duration // of the oldest answer; 0: not every token was asked about yet
}

// ErrorStatus is a failure that the operator should see. What holds neither key nor token.
type ErrorStatus struct {
	At   time.Time
	What string
}

func (t *target) recordStatus(now time.Time, f findings.Status) {
	s := &Status{
		Target:            t.Name,
		Up:                t.up,
		LastCycle:         t.last.began,
		LastCycleDuration: t.last.took,
		NextCycle:         nextCycle(now, t.options.Interval),
		Requests:          t.ledger.Requests(),
		TrackedTokens:     t.ledger.Tracked(),
		FlaggedTokens:     int64(f.Flagged),
		Forensics:         ForensicsStatus{Enabled: f.Enabled, Due: f.Due, Covered: f.Covered, Skipped: f.Skipped, Failed: f.Failed},
		Errors:            append([]ErrorStatus{}, t.failures.recent...),
		StateSaved:        t.state.saved,
	}
	if !f.Oldest.IsZero() {
		s.Forensics.OldestAge = now.Sub(f.Oldest)
	}
	s.WindowTokens, s.WindowRequests = t.window.totals(now)
	s.Admin = t.admin.statusAt(now)
	for _, slot := range t.ledger.Slots(now) {
		s.Slots = append(s.Slots, SlotStatus{
			From: slot.From, To: slot.To, State: string(slot.State), Requests: slot.Requests, LastRead: slot.Read,
		})
	}
	t.status.Store(s)
}
