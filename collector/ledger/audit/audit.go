// Package audit has the arithmetic of the audit (rule 10): what it reads when, and how that differs
// from what was counted. The ledger has the slots.
package audit

import "time"

// reads is in how many audits each slot is read.
const reads = 2

// Slot is how far the audits of a slot are, and of the seams of the stretch that it begins.
type Slot struct {
	Reads, SeamReads int       // in how many audits
	Read, SeamRead   time.Time // the last audit that did, by its beginning
	Reported         int64     // of the slot by its last reading; -1: that was left out
	AtSeams          int64     // counted of the stretch beyond what was counted of its slots
}

// Difference is what audits found, both signs apart.
type Difference struct {
	Missing int64 // requests that ABS has and the counters lack
	Surplus int64 // requests that the counters have and ABS lacks
}

// State is how far the audit is.
type State struct {
	Next    time.Time  // when the next one begins
	Began   time.Time  // when the last one did
	Running bool       // it has not ended
	Read    int        // reports compared by it
	Found   Difference // by it so far
	Ended   bool       // one has
	Last    Difference // found by the last one that ended
}

// Start reports whether an audit is to be continued or begun. next is when the one after now is to
// begin.
func (st *State) Start(now, next time.Time) bool {
	if st.Next.IsZero() || st.Next.After(next) { // the interval is shorter by now, or the clock was set back
		st.Next = next
	}
	if !st.Running && !now.Before(st.Next) {
		st.Next, st.Began, st.Running = next, now.Round(0), true
		st.Read, st.Found = 0, Difference{}
	}
	return st.Running
}

// End ends the audit. It returns how many reports were compared.
func (st *State) End() (reports int) {
	st.Running = false
	if st.Read > 0 {
		st.Ended, st.Last = true, st.Found
	}
	return st.Read
}

// Due reports whether the audit reads a slot: one that began at least apart after the last one that
// did.
func (st *State) Due(s *Slot, apart time.Duration) bool { return st.due(s.Reads, s.Read, apart) }

// SeamsDue is Due for the seams of the stretch that a slot begins.
func (st *State) SeamsDue(first *Slot, apart time.Duration) bool {
	return st.due(first.SeamReads, first.SeamRead, apart)
}

func (st *State) due(times int, last time.Time, apart time.Duration) bool {
	return times < reads && (last.IsZero() || st.Began.Sub(last) >= apart)
}

// HasRead reports whether the audit has read a slot.
func (st *State) HasRead(s *Slot) bool { return s.Read.Equal(st.Began) && s.Reported >= 0 }

// Skip leaves out a slot that cannot be read: of this audit, or for good.
func (st *State) Skip(s *Slot, forGood bool) {
	s.Read, s.Reported = st.Began, -1
	if forGood {
		s.Reads = reads
	}
}

// SkipSeams is Skip for the seams of the stretch that a slot begins.
func (st *State) SkipSeams(first *Slot, forGood bool) {
	first.SeamRead = st.Began
	if forGood {
		first.SeamReads = reads
	}
}

// Compare records what ABS reports of a slot, and returns by how much that is more than what was
// counted of it. What was counted at the seams of the stretch may have been requests that ABS was
// about to add to the slot.
func (st *State) Compare(s, first *Slot, counted, reported int64) (difference int64) {
	s.Reads++
	s.Read, s.Reported = st.Began, reported
	difference = reported - counted
	if difference > 0 {
		atSeams := min(difference, first.AtSeams)
		first.AtSeams -= atSeams
		difference -= atSeams
	}
	return difference
}

// CompareSeams records what ABS reports of the stretch that a slot begins, and returns by how much
// that is more than ofSlots, which it reported of the slots in the same audit, and what was counted
// beyond. It takes that as counted.
func (st *State) CompareSeams(first *Slot, ofSlots, reported int64) (difference int64) {
	first.SeamReads++
	first.SeamRead = st.Began
	difference = reported - first.AtSeams - ofSlots
	first.AtSeams += max(0, difference)
	return difference
}

// Record records the result of one report.
func (st *State) Record(difference int64) (found Difference) {
	found = Difference{Missing: max(0, difference), Surplus: max(0, -difference)}
	st.Read++
	st.Found.Missing += found.Missing
	st.Found.Surplus += found.Surplus
	return found
}
