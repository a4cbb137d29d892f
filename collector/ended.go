package collector

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// endedFinding is a finding of a token that is no longer active.
type endedFinding struct {
	id tokenid.ID
	finding
}

// exposure is how long the 0 of an ended finding is still exposed: the cycle of the last commit that
// had it, and the cycles to come, that one included.
type exposure struct {
	cycle  time.Time
	cycles int
}

// stageEnded adds a 0 for each finding that has ended, for one whole cycle: a push over OTLP cannot
// end a series, so that an alert would otherwise last for the look-back of the receiver. cycle is
// when the first commit of this cycle was made. Only series that the last commit had get their 0.
func (a *attacks) stageEnded(g *gauges, now, cycle time.Time, attacks, anomalies *metrics.Block) {
	for _, e := range slices.SortedFunc(maps.Keys(a.ended), func(x, y endedFinding) int {
		if x.id != y.id {
			return strings.Compare(x.id.String(), y.id.String())
		}
		return compareFindings(x.finding, y.finding)
	}) {
		block := attacks
		if e.Anomaly {
			block = anomalies
		}
		left := a.ended[e]
		switch {
		case left.cycles == 0: // its first commit; after the second of a cycle, that cycle is no whole one
			left = exposure{cycle, 1}
			if now.After(cycle) {
				left.cycles = 2
			}
		case !left.cycle.Equal(cycle):
			left = exposure{cycle, left.cycles - 1}
		}
		if left.cycles == 0 || !g.shown(gaugeKey{block.Family, e.id, e.Type, e.API}) {
			delete(a.ended, e)
			continue
		}
		a.ended[e] = left
		block.Samples = append(block.Samples, g.ofToken(block.Family, 0, e.id, e.Type, e.API))
	}
}

// shown reports whether the last commit had the gauge.
func (g *gauges) shown(key gaugeKey) bool {
	known, ok := g.known[key]
	return ok && known.commit == g.commit-1
}
