package metrics

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// WeightedHistogramVec is a classic histogram by target whose observations have a weight. The requests that a reading
// adds are counted together and are late alike: client_golang's histogram would want one call a request, millions a
// cycle.
type WeightedHistogramVec struct {
	family *Family
	desc   *prometheus.Desc

	mu       sync.Mutex
	children map[string]*WeightedHistogram
}

// WeightedHistogram is a target's histogram.
type WeightedHistogram struct {
	bounds  []float64
	created time.Time

	mu     sync.Mutex
	counts []uint64 // by bucket, not cumulative; those above the last bound are in count only
	count  uint64
	sum    float64
}

// NewWeightedHistogramVec makes one for a family with the label target alone.
func NewWeightedHistogramVec(f *Family) *WeightedHistogramVec {
	return &WeightedHistogramVec{
		family:   f,
		desc:     prometheus.V2.NewDesc(f.Name, f.Help, prometheus.UnconstrainedLabels(f.Labels), nil, prometheus.WithUnit(f.exposedUnit())),
		children: make(map[string]*WeightedHistogram),
	}
}

// With is the target's histogram; it exists, with no observation, from the first call on.
func (v *WeightedHistogramVec) With(target string) *WeightedHistogram {
	v.mu.Lock()
	defer v.mu.Unlock()
	h, ok := v.children[target]
	if !ok {
		h = &WeightedHistogram{bounds: v.family.Buckets, counts: make([]uint64, len(v.family.Buckets)), created: time.Now()}
		v.children[target] = h
	}
	return h
}

// DeletePartialMatch forgets the target that the labels name, as client_golang's vectors do, and tells how many it forgot.
func (v *WeightedHistogramVec) DeletePartialMatch(labels prometheus.Labels) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	target := labels[LabelTarget]
	if _, ok := v.children[target]; !ok {
		return 0
	}
	delete(v.children, target)
	return 1
}

// ObserveN adds n observations of the same value, in the family's unit. n at or below 0 adds none.
func (h *WeightedHistogram) ObserveN(value float64, n int64) {
	if n <= 0 {
		return
	}
	bucket, _ := slices.BinarySearch(h.bounds, value) // the first bound that is not below the value
	h.mu.Lock()
	defer h.mu.Unlock()
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
	children := maps.Clone(v.children)
	v.mu.Unlock()
	for target, h := range children {
		ch <- h.metric(v.desc, target)
	}
}

func (h *WeightedHistogram) metric(desc *prometheus.Desc, target string) prometheus.Metric {
	h.mu.Lock()
	defer h.mu.Unlock()
	buckets := make(map[float64]uint64, len(h.bounds))
	var cumulative uint64
	for i, bound := range h.bounds {
		cumulative += h.counts[i]
		buckets[bound] = cumulative
	}
	return prometheus.MustNewConstHistogramWithCreatedTimestamp(desc, h.count, h.sum, buckets, h.created, target)
}
