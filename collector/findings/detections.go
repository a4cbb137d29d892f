package findings

import (
	"maps"
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// Stage returns the detection counters as they are exposed by the snapshot that is published as of
// now; values appear as of asOf (metrics.ZeroInit). Published follows once it is.
func (f *Findings) Stage(now, asOf time.Time) []metrics.Block {
	a := f.active
	a.zeroInit.Stage(now, asOf)
	attacks := metrics.Block{Family: metrics.AttackDetections}
	anomalies := metrics.Block{Family: metrics.AnomalyDetections}
	for _, pair := range slices.SortedFunc(maps.Keys(a.detections), compareFindings) {
		block := &attacks
		if pair.Anomaly {
			block = &anomalies
		}
		count := a.detections[pair]
		a.zeroInit.Init(count, block.Family, a.target, pair.Type, pair.API)
		a.zeroInit.Make()
		block.Samples = append(block.Samples, a.zeroInit.Sample(count))
	}
	a.zeroInit.Init(&a.overflow, metrics.FindingsOverflow, a.target)
	a.zeroInit.Make()
	overflow := metrics.Block{Family: metrics.FindingsOverflow, Samples: []metrics.Sample{a.zeroInit.Sample(&a.overflow)}}
	return []metrics.Block{attacks, anomalies, overflow}
}

// Published records that what was staged is exposed.
func (f *Findings) Published() {
	if !f.active.zeroInit.Pending() {
		return
	}
	for _, count := range f.active.detections {
		f.active.zeroInit.Published(count)
	}
	f.active.zeroInit.Published(&f.active.overflow)
}
