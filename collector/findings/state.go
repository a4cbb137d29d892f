package findings

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// State is what findings must keep across a restart. It holds token ids, no tokens.
type State struct {
	Pairs    []PairState
	Tokens   []TokenState
	Overflow CountState
	Answered time.Time  // when ABS last said who is flagged
	Cursor   tokenid.ID // of the round robin of forensics
}

// PairState is a pair of a type and an API.
type PairState struct {
	Finding    Finding
	Detections CountState
	Ended      time.Time // as in pair
}

// CountState is a counter.
type CountState struct {
	Value        int64
	FirstExposed int64 // Unix nanoseconds; 0: its value was not exposed yet
}

// TokenState is what ABS last reported of a token.
type TokenState struct {
	ID                        tokenid.ID
	Answered                  time.Time
	AttackTypes, AnomalyTypes int64
	Absent                    bool
	Findings                  []SightingsState
}

// SightingsState is sightings. Times are Unix nanoseconds, 0 for none: there may be many.
type SightingsState struct {
	Pair                                             int // index in State.Pairs
	Began, Forensics, LackedIn, Reported, LastAccess int64
	Lacked, Missing                                  int
	Refuted                                          bool
}

// Check returns why a state cannot be one that findings saved; nil if it may be.
func (s *State) Check() error {
	outside := func(n int64) bool { return n < 0 || n > metrics.MaxCount }
	for i := range s.Pairs {
		p := &s.Pairs[i]
		switch {
		case outside(p.Detections.Value):
			return fmt.Errorf("%w: %d detections", ErrState, p.Detections.Value)
		case !p.Finding.isText():
			return fmt.Errorf("%w: a finding is no text", ErrState)
		}
	}
	if outside(s.Overflow.Value) {
		return fmt.Errorf("%w: %d past the limits", ErrState, s.Overflow.Value)
	}
	for i := range s.Tokens {
		if t := &s.Tokens[i]; outside(t.AttackTypes) || outside(t.AnomalyTypes) {
			return fmt.Errorf("%w: %d attacks and %d anomalies", ErrState, t.AttackTypes, t.AnomalyTypes)
		}
	}
	return nil
}

func (f Finding) isText() bool { return utf8.ValidString(f.Type) && utf8.ValidString(f.API) }

// ErrState is returned for a state that no findings can have written.
var ErrState = errors.New("the findings of the state contradict themselves")

// State returns the state as it is staged.
func (f *Findings) State() State {
	a := f.active
	s := State{Answered: f.answered, Cursor: f.plan.Cursor(), Overflow: countState(&a.overflow)}
	index := make(map[Finding]int, len(a.pairs.all))
	for i, f := range slices.SortedFunc(maps.Keys(a.pairs.all), compareFindings) {
		p := a.pairs.all[f]
		index[f] = i
		s.Pairs = append(s.Pairs, PairState{f, countState(&p.detections), p.ended})
	}
	for _, id := range sortedIDs(a.tokens) {
		t := a.tokens[id]
		saved := TokenState{ID: id, Answered: t.answered, AttackTypes: t.attackTypes, AnomalyTypes: t.anomalyTypes, Absent: t.absent}
		for i := range t.findings {
			x := &t.findings[i]
			saved.Findings = append(saved.Findings, SightingsState{
				Pair: index[x.Finding], Began: nanos(x.Began), Forensics: nanos(x.Forensics), LackedIn: nanos(x.LackedIn), Reported: nanos(x.Reported),
				LastAccess: nanos(x.LastAccess), Lacked: x.Lacked, Missing: x.Missing, Refuted: x.Refuted,
			})
		}
		s.Tokens = append(s.Tokens, saved)
	}
	return s
}

func countState(c *metrics.Count) CountState { return CountState{c.Value, c.FirstExposed()} }

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}

// Restore continues from a state. It returns ErrState for one that contradicts itself.
func (f *Findings) Restore(s State) error {
	a := f.active
	f.answered = s.Answered
	a.overflow = metrics.RestoredCount(s.Overflow.Value, s.Overflow.FirstExposed)
	for i, saved := range s.Pairs {
		f := saved.Finding
		if i > 0 && compareFindings(s.Pairs[i-1].Finding, f) >= 0 || saved.Detections.Value < 0 ||
			max(len(f.Type), len(f.API)) > metrics.MaxLabelValue {
			return ErrState
		}
		p := a.pairs.add(f, a.pairs.named(f.Type))
		p.detections, p.ended = metrics.RestoredCount(saved.Detections.Value, saved.Detections.FirstExposed), saved.Ended
		p.published = saved.Detections.FirstExposed != 0 || saved.Detections.Value == 0
	}
	for _, x := range s.Tokens {
		t := &token{answered: x.Answered, attackTypes: x.AttackTypes, anomalyTypes: x.AnomalyTypes, absent: x.Absent}
		for i, saved := range x.Findings {
			if saved.Pair < 0 || saved.Pair >= len(s.Pairs) || i > 0 && saved.Pair <= x.Findings[i-1].Pair {
				return ErrState
			}
			t.findings = append(t.findings, sightings{
				Finding: s.Pairs[saved.Pair].Finding, Began: fromNanos(saved.Began),
				Forensics: fromNanos(saved.Forensics), LackedIn: fromNanos(saved.LackedIn), Reported: fromNanos(saved.Reported),
				LastAccess: fromNanos(saved.LastAccess), Lacked: saved.Lacked, Missing: saved.Missing, Refuted: saved.Refuted,
			})
		}
		a.remembered += len(t.findings)
		a.tokens[x.ID] = t
	}
	f.plan.Resume(s.Cursor)
	return nil
}

// RestartSeries makes the detection counters begin at 0, for series with another name or other
// labels of the target; see metrics.Count.Restarted.
func (f *Findings) RestartSeries(shown map[*metrics.Series]int64) {
	for _, p := range f.active.pairs.all {
		p.detections = p.detections.Restarted(shown)
		p.staged, p.published = false, p.detections.Value == 0
	}
	f.active.overflow = f.active.overflow.Restarted(shown)
}
