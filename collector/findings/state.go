package findings

import (
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// State is what findings must keep across a restart. It holds token ids, no tokens.
type State struct {
	Tokens     []TokenState
	Detections []DetectionState
	Cursor     tokenid.ID // of the round robin of forensics
}

// TokenState is ABS's last answer about a token.
type TokenState struct {
	ID                        tokenid.ID
	AttackTypes, AnomalyTypes int64
	Findings                  []Finding
	Answered                  time.Time
}

// DetectionState is a detection counter.
type DetectionState struct {
	Finding      Finding
	Value        int64
	FirstExposed int64 // Unix nanoseconds; 0: its value was not exposed yet
}

// State returns the state as it is staged.
func (f *Findings) State() State {
	s := State{Cursor: f.plan.Cursor()}
	for _, id := range sortedIDs(f.active.tokens) {
		if a := f.active.tokens[id]; !a.gone {
			s.Tokens = append(s.Tokens, TokenState{id, a.attackTypes, a.anomalyTypes, a.findings, a.at})
		}
	}
	for pair, c := range f.active.detections {
		s.Detections = append(s.Detections, DetectionState{pair, c.Value, c.FirstExposed()})
	}
	slices.SortFunc(s.Detections, func(a, b DetectionState) int { return compareFindings(a.Finding, b.Finding) })
	return s
}

// Restore continues from a state.
func (f *Findings) Restore(s State) {
	for _, x := range s.Tokens {
		f.active.tokens[x.ID] = &answer{at: x.Answered, attackTypes: x.AttackTypes, anomalyTypes: x.AnomalyTypes, findings: x.Findings}
	}
	for _, d := range s.Detections {
		c := metrics.RestoredCount(d.Value, d.FirstExposed)
		f.active.detections[d.Finding] = &c
	}
	f.plan.Resume(s.Cursor)
}

// RestartSeries makes the detection counters begin at 0, for series under a new name.
func (f *Findings) RestartSeries() {
	for _, count := range f.active.detections {
		*count = metrics.Count{}
	}
}
