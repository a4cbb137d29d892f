package findings

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// State is what findings must keep across a restart. It holds token ids, no tokens.
type State struct {
	Tokens     []TokenState
	Detections []DetectionState
	Overflow   DetectionState
	Answered   time.Time  // when ABS last said who is flagged
	Cursor     tokenid.ID // of the round robin of forensics
}

// TokenState is what ABS last reported of a token.
type TokenState struct {
	ID                        tokenid.ID
	Answered                  time.Time
	AttackTypes, AnomalyTypes int64
	Absent                    bool
	Findings                  []sightings
}

// DetectionState is a detection counter.
type DetectionState struct {
	Finding      Finding
	Value        int64
	FirstExposed int64 // Unix nanoseconds; 0: its value was not exposed yet
}

// maxCount is the highest number that all formats of an exposition hold exactly.
const maxCount = 1 << 53

// Check returns why a state cannot be one that findings saved; nil if it may be.
func (s *State) Check() error {
	for _, d := range append(slices.Clone(s.Detections), s.Overflow) {
		if d.Value < 0 || d.Value > maxCount {
			return fmt.Errorf("the state contradicts itself: %d detections", d.Value)
		}
		if !d.Finding.isText() {
			return errors.New("the state contradicts itself: a finding is no text")
		}
	}
	for i := range s.Tokens {
		if t := &s.Tokens[i]; t.AttackTypes < 0 || t.AnomalyTypes < 0 || t.AttackTypes > maxCount || t.AnomalyTypes > maxCount {
			return fmt.Errorf("the state contradicts itself: %d attacks and %d anomalies", t.AttackTypes, t.AnomalyTypes)
		}
		for _, found := range s.Tokens[i].Findings {
			if !found.isText() {
				return errors.New("the state contradicts itself: a finding is no text")
			}
		}
	}
	return nil
}

func (f Finding) isText() bool { return utf8.ValidString(f.Type) && utf8.ValidString(f.API) }

// State returns the state as it is staged.
func (f *Findings) State() State {
	a := f.active
	s := State{
		Answered: f.answered, Cursor: f.plan.Cursor(),
		Overflow: DetectionState{Value: a.overflow.Value, FirstExposed: a.overflow.FirstExposed()},
	}
	for _, id := range sortedIDs(a.tokens) {
		t := a.tokens[id]
		s.Tokens = append(s.Tokens, TokenState{id, t.answered, t.attackTypes, t.anomalyTypes, t.absent, slices.Clone(t.findings)})
	}
	for pair, c := range f.active.detections {
		s.Detections = append(s.Detections, DetectionState{pair, c.Value, c.FirstExposed()})
	}
	slices.SortFunc(s.Detections, func(a, b DetectionState) int { return compareFindings(a.Finding, b.Finding) })
	return s
}

// Restore continues from a state.
func (f *Findings) Restore(s State) {
	a := f.active
	f.answered = s.Answered
	a.overflow = metrics.RestoredCount(s.Overflow.Value, s.Overflow.FirstExposed)
	for _, d := range s.Detections {
		c := metrics.RestoredCount(d.Value, d.FirstExposed)
		a.detections[d.Finding] = &c
		a.spelling(d.Finding.Type)
	}
	for _, x := range s.Tokens {
		a.tokens[x.ID] = &token{
			answered: x.Answered, attackTypes: x.AttackTypes, anomalyTypes: x.AnomalyTypes, absent: x.Absent, findings: x.Findings,
		}
	}
	f.plan.Resume(s.Cursor)
}

// RestartSeries makes the detection counters begin at 0, for series under a new name.
func (f *Findings) RestartSeries() {
	for _, count := range f.active.detections {
		*count = metrics.Count{}
	}
	f.active.overflow = metrics.Count{}
}
