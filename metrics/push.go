package metrics

import "github.com/prometheus/client_golang/prometheus"

// PushHealth counts what becomes of OTLP pushes. It has a field for each family of the table's push
// group.
type PushHealth struct {
	Requests    *prometheus.CounterVec // signal, outcome
	Dropped     *prometheus.CounterVec // signal
	LastSuccess *prometheus.GaugeVec   // signal
	// Init exposes the counters of a signal at 0.
	Init func(signal string)
}

// NewPushHealth registers the push families with reg. Like the registry, it panics when a family is
// already there.
func NewPushHealth(reg prometheus.Registerer) *PushHealth {
	var h Health // makes families, whose first label is the signal here
	p := &PushHealth{Requests: h.counter(reg, OTLPRequests), Dropped: h.counter(reg, OTLPDropped), LastSuccess: h.gauge(reg, OTLPLastSuccess)}
	p.Init = h.Init
	return p
}
