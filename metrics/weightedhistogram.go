package metrics

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// WeightedHistogramVec is a classic histogram by target whose observations have a weight. The
// requests that a reading adds are counted together and have the same delay: client_golang's
// histogram would need one call for each request, millions in a cycle.
type WeightedHistogramVec struct {
	family *Family
	desc   *prometheus.Desc

	mu       sync.Mutex // guards the targets, and all of their counts
	byTarget map[string]*WeightedHistogram
}

// WeightedHistogram is the histogram of one target.
type WeightedHistogram struct {
	vec     *WeightedHistogramVec
	created time.Time
	counts  []uint64 // by bucket, not cumulative; observations above the last bound are in count only
	count   uint64
	sum     float64
}

// NewWeightedHistogramVec returns the histogram of a family with the label target alone.
func NewWeightedHistogramVec(f *Family) *WeightedHistogramVec {
	return &WeightedHistogramVec{
		family:   f,
		desc:     prometheus.V2.NewDesc(f.Name, f.Help, prometheus.UnconstrainedLabels(f.Labels), nil, prometheus.WithUnit(f.exposedUnit())),
		byTarget: make(map[string]*WeightedHistogram),
	}
}

// With returns the target's histogram, which exists, with no observation, from the first call on.
func (v *WeightedHistogramVec) With(target string) *WeightedHistogram {
	v.mu.Lock()
	defer v.mu.Unlock()
	h, ok := v.byTarget[target]
	if !ok {
		h = &WeightedHistogram{vec: v, counts: make([]uint64, len(v.family.Buckets)), created: time.Now()}
		v.byTarget[target] = h
	}
	return h
}

// DeletePartialMatch removes the target that the labels name, as client_golang's vectors do, and
// returns how many targets it removed.
func (v *WeightedHistogramVec) DeletePartialMatch(labels prometheus.Labels) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	before := len(v.byTarget)
	delete(v.byTarget, labels[LabelTarget])
	return before - len(v.byTarget)
}

// ObserveN adds n observations of the same value, in the family's unit. It ignores n at or below 0.
func (h *WeightedHistogram) ObserveN(value float64, n int64) {
	if n <= 0 {
		return
	}
	bucket, _ := slices.BinarySearch(h.vec.family.Buckets, value) // the first bound not below the value
	h.vec.mu.Lock()
	defer h.vec.mu.Unlock()
	if bucket < len(h.counts) {
		h.counts[bucket] += uint64(n)
	}
	h.count += uint64(n)
	h.sum += value * float64(n)
}

// Describe implements prometheus.Collector.
func (v *WeightedHistogramVec) Describe(ch chan<- *prometheus.Desc) { ch <- v.desc }

// Collect implements prometheus.Collector.
func (v *WeightedHistogramVec) Collect(ch chan<- prometheus.Metric) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for target, h := range v.byTarget {
		buckets := make(map[float64]uint64, len(h.counts))
		var cumulative uint64
		for i, bound := range v.family.Buckets {
			cumulative += h.counts[i]
			buckets[bound] = cumulative
		}
		ch <- prometheus.MustNewConstHistogramWithCreatedTimestamp(v.desc, h.count, h.sum, buckets, h.created, target)
	}
}
