package collector

import "time"

// Status is what the status page shows of one target, as of the last commit.
type Status struct {
	Target string
	Up     bool // the last cycle got its reports
	// LastCycle is when the last finished cycle began; zero before the first.
	LastCycle         time.Time
	LastCycleDuration time.Duration
	NextCycle         time.Time
	Requests          int64 // counted in all
	TrackedTokens     int
	Slots             []SlotStatus // oldest first; the last few settled and missed ones too
	WindowTokens      int64        // of the window report; -1 where unknown
	WindowRequests    int64
	UnderAttack       int // tokens
	Forensics         ForensicsStatus
	Errors            []ErrorStatus // newest first
	StateSaved        time.Time     // zero: never, or there is no state directory
}

// SlotStatus is one slot, or one part of a slot that had to be cut.
type SlotStatus struct {
	From, To time.Time
	State    string // open, pending, settled, missed
	Requests int64  // counted from it
	LastRead time.Time
}

// ForensicsStatus tells how much of the window's tokens forensics has asked about.
type ForensicsStatus struct {
	Enabled                       bool
	Due, Covered, Skipped, Failed int
	OldestAge                     time.Duration
}

// ErrorStatus is a failure that the operator should know of. What has neither key
// nor token in it.
type ErrorStatus struct {
	At   time.Time
	What string
}
