package collector

import (
	"time"

	"github.com/abs-exporter/abs-exporter/collector/absstate"
	"github.com/abs-exporter/abs-exporter/collector/calls"
	"github.com/abs-exporter/abs-exporter/collector/failures"
	"github.com/abs-exporter/abs-exporter/collector/findings"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
)

// Status is what the status page shows of one target, as of the last commit.
type Status struct {
	Target    string
	Host      string         // of the URL, with the port if it names one
	Location  *time.Location // the zone of ABS's dates
	Inclusive bool           // the minute of later_date is in the window
	CycleStatus
	Requests      int64 // counted in total
	TrackedTokens int
	Slots         []SlotStatus // oldest first; the last few settled and missed ones too
	WindowStatus
	Forensics  findings.Status
	Admin      absstate.Status
	Flagged    []findings.FlaggedToken // longest flagged first; a hundred at most
	Calls      []calls.Call            // by report, newest first; a few of each
	Errors     []failures.Row          // newest first
	StateSaved time.Time               // zero: never, or there is no state directory
}

// CycleStatus is when the target is polled, and how that went.
type CycleStatus struct {
	Up                bool      // the last finished cycle got its reports
	Running           time.Time // when the cycle that runs now began; zero between two cycles
	LastCycle         time.Time // when the last finished cycle began; zero before the first
	LastCycleDuration time.Duration
	NextCycle         time.Time
}

// WindowStatus is what the last reports say of the window; -1 where nobody knows.
type WindowStatus struct {
	WindowTokens, WindowRequests int64
	FlaggedTokens                int64
}

// SlotStatus is one slot.
type SlotStatus struct {
	From, To time.Time
	State    ledger.SlotState
	Requests int64 // counted from it
	LastRead time.Time
}

func (t *target) recordStatus(now time.Time, f findings.Status) {
	s := &Status{
		Target:    t.Name,
		Host:      t.host,
		Location:  t.Location,
		Inclusive: t.Inclusive,
		CycleStatus: CycleStatus{
			Up: t.up, Running: t.running, LastCycle: t.last.began, LastCycleDuration: t.last.took,
			NextCycle: nextCycle(now, t.options.Interval),
		},
		Requests:      t.ledger.Requests(),
		TrackedTokens: t.ledger.Tracked(),
		Forensics:     f,
		Errors:        t.failures.Rows(),
		StateSaved:    t.state.saved,
	}
	s.FlaggedTokens, s.Calls = int64(f.Flagged), t.Calls.Newest()
	if f.Flagged > 0 {
		s.Flagged = t.findings.FlaggedTokens()
	}
	s.WindowTokens, s.WindowRequests = t.window.totals(now)
	s.Admin = t.admin.statusAt(now)
	for _, slot := range t.ledger.Slots(now) {
		s.Slots = append(s.Slots, SlotStatus{
			From: slot.From, To: slot.To, State: slot.State, Requests: slot.Requests, LastRead: slot.Read,
		})
	}
	t.status.Store(s)
}
