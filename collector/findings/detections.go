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
	for _, f := range slices.SortedFunc(maps.Keys(a.pairs.all), compareFindings) {
		block := &attacks
		if f.Anomaly {
			block = &anomalies
		}
		p := a.pairs.all[f]
		a.zeroInit.Init(&p.detections, block.Family, a.target, f.Type, f.API)
		a.zeroInit.Make()
		sample := a.zeroInit.Sample(&p.detections)
		p.staged = sample.Value == p.detections.Value
		block.Samples = append(block.Samples, sample)
	}
	a.zeroInit.Init(&a.overflow, metrics.FindingsOverflow, a.target)
	a.zeroInit.Make()
	overflow := metrics.Block{Family: metrics.FindingsOverflow, Samples: []metrics.Sample{a.zeroInit.Sample(&a.overflow)}}
	return []metrics.Block{attacks, anomalies, overflow}
}

// Published records that what was staged is exposed.
func (f *Findings) Published() {
	for _, p := range f.active.pairs.all {
		f.active.zeroInit.Published(&p.detections)
		p.published = p.staged
	}
	f.active.zeroInit.Published(&f.active.overflow)
}
