package metrics

import "github.com/prometheus/client_golang/prometheus"

// PushHealth is what becomes of OTLP pushes, one field a family of the table's push group.
type PushHealth struct {
	Requests    *prometheus.CounterVec // signal, outcome
	Dropped     *prometheus.CounterVec // signal
	LastSuccess *prometheus.GaugeVec   // signal
}

// NewPushHealth registers the push families with reg, the counters of each signal that is pushed at
// 0. Like the registry, it panics when one is already there.
func NewPushHealth(reg prometheus.Registerer, signals ...string) *PushHealth {
	var h Health // only for its ways to make families
	p := &PushHealth{
		Requests: h.counter(reg, OTLPRequests), Dropped: h.counter(reg, OTLPDropped), LastSuccess: h.gauge(reg, OTLPLastSuccess),
	}
	for _, signal := range signals {
		for _, outcome := range OTLPRequests.LabelValues["outcome"] {
			p.Requests.WithLabelValues(signal, outcome)
		}
		p.Dropped.WithLabelValues(signal)
	}
	return p
}
