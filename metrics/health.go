package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Health is what the exporter says of itself, one field for each family of the table's health group
// that the registry carries. Everything bears the label
// target first, then the family's other labels in the table's order.
type Health struct {
	Up                *prometheus.GaugeVec
	CycleDuration     *prometheus.HistogramVec
	ReportDuration    *prometheus.HistogramVec
	ReportBytes       *prometheus.CounterVec
	ReportFailures    *prometheus.CounterVec
	ReportLastSuccess *prometheus.GaugeVec
	LastNewRequests   *prometheus.GaugeVec
	Slots             *prometheus.GaugeVec
	// RequestDelay is observed once for all requests that were counted at once.
	RequestDelay       *WeightedHistogramVec
	AuditDifference    *prometheus.GaugeVec
	ForensicsTokens    *prometheus.GaugeVec
	ForensicsOldestAge *prometheus.GaugeVec
	StateSaveFailures  *prometheus.CounterVec
	StateLastSave      *prometheus.GaugeVec

	initial []func(target string)
	all     []interface {
		DeletePartialMatch(labels prometheus.Labels) int
	}
}

// NewHealth registers the health families with reg. Like the registry, it panics when one is already there.
func NewHealth(reg prometheus.Registerer) *Health {
	h := &Health{}
	h.Up = h.gauge(reg, Up)
	h.CycleDuration = h.histogram(reg, CycleDuration)
	h.ReportDuration = h.histogram(reg, ReportDuration)
	h.ReportBytes = h.counter(reg, ReportBytes)
	h.ReportFailures = h.counter(reg, ReportFailures)
	h.ReportLastSuccess = h.gauge(reg, ReportLastSuccess)
	h.LastNewRequests = h.gauge(reg, LastNewRequests)
	h.Slots = h.gauge(reg, Slots)
	h.RequestDelay = NewWeightedHistogramVec(RequestDelay)
	reg.MustRegister(h.RequestDelay)
	h.initial = append(h.initial, func(target string) { h.RequestDelay.With(target) })
	h.all = append(h.all, h.RequestDelay)
	h.AuditDifference = h.gauge(reg, AuditDifference)
	h.ForensicsTokens = h.gauge(reg, ForensicsTokens)
	h.ForensicsOldestAge = h.gauge(reg, ForensicsOldestAge)
	h.StateSaveFailures = h.counter(reg, StateSaveFailures)
	h.StateLastSave = h.gauge(reg, StateLastSave)
	return h
}

// Init makes a target's counters, histograms and gauges by state, at 0, so that the first failure is an increase that
// every Prometheus sees and that no panel lacks data. The other gauges are absent until there is something to say: at 0,
// a time would be 1970, a target would be down before it was asked, and an audit would have found nothing before it ran.
func (h *Health) Init(target string) {
	for _, initial := range h.initial {
		initial(target)
	}
}

// Forget takes away everything that is told of a target, as when a reload drops it.
func (h *Health) Forget(target string) {
	for _, vec := range h.all {
		vec.DeletePartialMatch(prometheus.Labels{LabelTarget: target})
	}
}

func (h *Health) counter(reg prometheus.Registerer, f *Family) *prometheus.CounterVec {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: f.Name, Help: f.Help, Unit: f.exposedUnit()}, f.Labels)
	reg.MustRegister(vec)
	h.all = append(h.all, vec)
	h.initial = append(h.initial, func(target string) {
		eachChild(f, target, func(values []string) { vec.WithLabelValues(values...) })
	})
	return vec
}

func (h *Health) gauge(reg prometheus.Registerer, f *Family) *prometheus.GaugeVec {
	vec := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: f.Name, Help: f.Help, Unit: f.exposedUnit()}, f.Labels)
	reg.MustRegister(vec)
	h.all = append(h.all, vec)
	if f.HasLabel("state") {
		h.initial = append(h.initial, func(target string) {
			eachChild(f, target, func(values []string) { vec.WithLabelValues(values...) })
		})
	}
	return vec
}

// Native histograms: buckets a tenth apart, and a bound on memory; past it, client_golang starts over or widens them.
const (
	nativeFactor   = 1.1
	nativeBuckets  = 100
	nativeMinReset = time.Hour
)

func (h *Health) histogram(reg prometheus.Registerer, f *Family) *prometheus.HistogramVec {
	vec := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: f.Name, Help: f.Help, Unit: f.exposedUnit(), Buckets: f.Buckets,
		NativeHistogramBucketFactor:     nativeFactor,
		NativeHistogramMaxBucketNumber:  nativeBuckets,
		NativeHistogramMinResetDuration: nativeMinReset,
	}, f.Labels)
	reg.MustRegister(vec)
	h.all = append(h.all, vec)
	h.initial = append(h.initial, func(target string) {
		eachChild(f, target, func(values []string) { vec.WithLabelValues(values...) })
	})
	return vec
}

// eachChild calls do with every combination of the family's closed label values, the target first.
func eachChild(f *Family, target string, do func(values []string)) {
	values := []string{target}
	var next func(labels []string)
	next = func(labels []string) {
		if len(labels) == 0 {
			do(values)
			return
		}
		for _, v := range f.LabelValues[labels[0]] {
			values = append(values, v)
			next(labels[1:])
			values = values[:len(values)-1]
		}
	}
	next(f.Labels[1:])
}
