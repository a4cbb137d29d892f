package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Health holds the exporter's own health, one field for each family of the table's health group
// that the registry serves. The first label of each is target, followed by the family's other
// labels in the table's order.
type Health struct {
	Up                *prometheus.GaugeVec
	TargetPanics      *prometheus.CounterVec
	CycleDuration     *prometheus.HistogramVec
	ReportDuration    *prometheus.HistogramVec
	ReportBytes       *prometheus.CounterVec
	ReportFailures    *prometheus.CounterVec
	EmptyReports      *prometheus.CounterVec
	ReportRowsSkipped *prometheus.CounterVec
	ReportMismatches  *prometheus.CounterVec
	ReportRepeats     *prometheus.CounterVec
	ReportLastSuccess *prometheus.GaugeVec
	LastNewRequests   *prometheus.GaugeVec
	CertificateExpiry *prometheus.GaugeVec
	ServerClockSkew   *prometheus.GaugeVec
	Slots             *prometheus.GaugeVec
	// RequestDelay is observed once for all requests that were counted at once.
	RequestDelay       *WeightedHistogramVec
	AuditMissing       *prometheus.GaugeVec
	AuditSurplus       *prometheus.GaugeVec
	ForensicsTokens    *prometheus.GaugeVec
	ForensicsOldestAge *prometheus.GaugeVec
	StateSaveFailures  *prometheus.CounterVec
	StateLastSave      *prometheus.GaugeVec
	ConfigSeconds      *prometheus.GaugeVec

	initial []func(target string)
	all     []targetMetrics
	counts  []targetMetrics // counters and histograms
}

// NewHealth registers the health families with reg. Like the registry, it panics when one is
// already registered.
func NewHealth(reg prometheus.Registerer) *Health {
	h := &Health{}
	h.Up = h.gauge(reg, Up)
	h.TargetPanics = h.counter(reg, TargetPanics)
	h.CycleDuration = h.histogram(reg, CycleDuration)
	h.ReportDuration = h.histogram(reg, ReportDuration)
	h.ReportBytes = h.counter(reg, ReportBytes)
	h.ReportFailures = h.counter(reg, ReportFailures)
	h.EmptyReports = h.counter(reg, EmptyReports)
	h.ReportRowsSkipped = h.counter(reg, ReportRowsSkipped)
	h.ReportMismatches = h.counter(reg, ReportMismatches)
	h.ReportRepeats = h.counter(reg, ReportRepeats)
	h.ReportLastSuccess = h.gauge(reg, ReportLastSuccess)
	h.LastNewRequests = h.gauge(reg, LastNewRequests)
	h.CertificateExpiry = h.gauge(reg, CertificateExpiry)
	h.ServerClockSkew = h.gauge(reg, ServerClockSkew)
	h.Slots = h.gauge(reg, Slots)
	h.RequestDelay = NewWeightedHistogramVec(RequestDelay)
	h.register(reg, h.RequestDelay)
	h.initialize(RequestDelay, func(values ...string) { h.RequestDelay.With(values[0]) })
	h.AuditMissing = h.gauge(reg, AuditMissing)
	h.AuditSurplus = h.gauge(reg, AuditSurplus)
	h.ForensicsTokens = h.gauge(reg, ForensicsTokens)
	h.ForensicsOldestAge = h.gauge(reg, ForensicsOldestAge)
	h.StateSaveFailures = h.counter(reg, StateSaveFailures)
	h.StateLastSave = h.gauge(reg, StateLastSave)
	h.ConfigSeconds = h.gauge(reg, ConfigSeconds)
	return h
}

// Init sets a target's counters, histograms and gauges by state to 0, so that the first failure is
// an increase that every Prometheus sees and that no panel lacks data. The other gauges are absent
// until they are set: at 0, a time would be 1970, a target would be down before its first request,
// and an audit would have found nothing before it ran.
func (h *Health) Init(target string) {
	for _, initial := range h.initial {
		initial(target)
	}
}

// Restart makes a target's counters and histograms begin at 0, for series with other labels.
func (h *Health) Restart(target string) {
	for _, vec := range h.counts {
		vec.DeletePartialMatch(prometheus.Labels{LabelTarget: target})
	}
	h.Init(target)
}

// Forget removes all metrics of a target, as when a reload drops it.
func (h *Health) Forget(target string) {
	for _, vec := range h.all {
		vec.DeletePartialMatch(prometheus.Labels{LabelTarget: target})
	}
}

func (h *Health) counter(reg prometheus.Registerer, f *Family) *prometheus.CounterVec {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: f.Name, Help: f.Help, Unit: f.exposedUnit()}, f.Labels)
	h.register(reg, vec)
	h.initialize(f, func(values ...string) { vec.WithLabelValues(values...) })
	return vec
}

func (h *Health) gauge(reg prometheus.Registerer, f *Family) *prometheus.GaugeVec {
	vec := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: f.Name, Help: f.Help, Unit: f.exposedUnit()}, f.Labels)
	h.register(reg, vec)
	if slices.Contains(f.Labels, "state") {
		h.initialize(f, func(values ...string) { vec.WithLabelValues(values...) })
	}
	return vec
}

func (h *Health) histogram(reg prometheus.Registerer, f *Family) *prometheus.HistogramVec {
	vec := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: f.Name, Help: f.Help, Unit: f.exposedUnit(), Buckets: f.Buckets,
		// Native bounds are a tenth apart. Beyond the maximum number of buckets client_golang resets the
		// histogram, or widens the buckets if the last reset was too recent.
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  100,
		NativeHistogramMinResetDuration: time.Hour,
	}, f.Labels)
	h.register(reg, vec)
	h.initialize(f, func(values ...string) { vec.WithLabelValues(values...) })
	return vec
}

// targetMetrics is a family whose metrics of one target can be removed.
type targetMetrics interface {
	prometheus.Collector
	DeletePartialMatch(labels prometheus.Labels) int
}

func (h *Health) register(reg prometheus.Registerer, m targetMetrics) {
	reg.MustRegister(m)
	h.all = append(h.all, m)
	if _, gauge := m.(*prometheus.GaugeVec); !gauge {
		h.counts = append(h.counts, m)
	}
}

// initialize makes Init call with for every combination of the family's closed label values.
func (h *Health) initialize(f *Family, with func(values ...string)) {
	h.initial = append(h.initial, func(target string) { eachCombination(f.Labels[1:], f.LabelValues, []string{target}, with) })
}

// eachCombination calls do with values, followed by each combination of values of the labels.
func eachCombination(labels []string, closed map[string][]string, values []string, do func(values ...string)) {
	if len(labels) == 0 {
		do(values...)
		return
	}
	for _, v := range closed[labels[0]] {
		eachCombination(labels[1:], closed, append(values[:len(values):len(values)], v), do)
	}
}
