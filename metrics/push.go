package metrics

import (
	"iter"

	"github.com/prometheus/client_golang/prometheus"
)

// PushHealth counts what becomes of OTLP pushes. It has a field for each family of the table's push
// group.
type PushHealth struct {
	Requests    *prometheus.CounterVec // signal, outcome
	Dropped     *prometheus.CounterVec // signal
	LastSuccess *prometheus.GaugeVec   // signal
}

// NewPushHealth registers the push families with reg, and exposes the counters of the signals. Like
// the registry, it panics when a family is already there.
func NewPushHealth(reg prometheus.Registerer, signals ...string) *PushHealth {
	var h Health // only for its ways to make families
	p := &PushHealth{
		Requests: h.counter(reg, OTLPRequests), Dropped: h.counter(reg, OTLPDropped), LastSuccess: h.gauge(reg, OTLPLastSuccess),
	}
	for _, signal := range signals {
		p.Init(signal)
	}
	return p
}

// Init exposes the counters of a signal at 0.
func (p *PushHealth) Init(signal string) {
	for _, outcome := range OTLPRequests.LabelValues["outcome"] {
		p.Requests.WithLabelValues(signal, outcome)
	}
	p.Dropped.WithLabelValues(signal)
}

// Families yields the families that the snapshots have samples of, in the order of a scrape, with
// their samples: targets by name, blocks as they stand.
func Families(snapshots map[string]*Snapshot) iter.Seq2[*Family, [][]Sample] {
	return func(yield func(*Family, [][]Sample) bool) {
		for _, g := range groupByFamily(snapshots) {
			if !yield(g.family, g.blocks) {
				return
			}
		}
	}
}

// UCUM returns the unit as OTLP has it, which receivers turn into a suffix of the name. What is
// counted goes in braces: a remark without effect, where 1 would rename a gauge to _ratio.
func (f *Family) UCUM() string {
	switch f.Unit {
	case "":
		return ""
	case "seconds":
		return "s"
	case "bytes":
		return "By"
	default:
		return "{" + f.Unit + "}"
	}
}
