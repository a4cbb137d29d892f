package metrics

import (
	"slices"
	"strings"
)

// Type is a metric family's type, in the words of the Prometheus exposition formats.
type Type string

// The types that the table uses.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
)

// Stability says what a user may build on a family.
type Stability string

// Stable families are never renamed and never get another meaning. Experimental ones may change in any release.
const (
	Stable       Stability = "stable"
	Experimental Stability = "experimental"
)

// Group is a chapter of the reference.
type Group string

const (
	// GroupCounters holds the requests and detections that the ledger counts; snapshots carry them.
	GroupCounters Group = "Counters"
	// GroupWindow holds the gauges of the sliding window; snapshots carry them.
	GroupWindow Group = "Window"
	// GroupHealth holds what the exporter says of itself; the registry carries it, but for what
	// Family.Counted marks.
	GroupHealth Group = "Health"
	// GroupPush holds what becomes of OTLP pushes. The registry carries it, and only while pushing is on.
	GroupPush Group = "Push"
)

// LabelTarget is the first label of every family but abs_exporter_build_info and those of GroupPush: the name of one ABS deployment.
const LabelTarget = "target"

// Family describes one metric family. The values in the table are shared and must not be written to.
type Family struct {
	Name string // with _total for counters, as in the text format
	Help string // one or two sentences: what is counted, and when it is absent
	Note string // more for the reference only; may be empty
	Unit string // Prometheus base unit in the plural, "" for a number without one
	Type Type
	// Labels are the label names in the order in which values are handed to NewSeries.
	Labels []string
	// LabelValues holds, for labels whose values are a closed set, all of them.
	LabelValues map[string][]string
	// Buckets are the upper bounds of the classic histogram, in Unit. Only for histograms.
	Buckets   []float64
	Stability Stability
	Group     Group
	// Counted marks those of GroupHealth that are counted and saved with the requests, so that
	// snapshots carry them.
	Counted bool
}

// InSnapshot reports whether snapshots carry the family; the registry carries all others. So no
// scrape can have a series twice.
func (f *Family) InSnapshot() bool {
	return f.Group == GroupCounters || f.Group == GroupWindow || f.Counted
}

// openMetricsName is the family's name in OpenMetrics' TYPE, HELP and UNIT lines: a counter without its _total.
func (f *Family) openMetricsName() string {
	if f.Type == Counter {
		return strings.TrimSuffix(f.Name, "_total")
	}
	return f.Name
}

// exposedUnit is the unit that may be told in an exposition. OpenMetrics demands that the family's name ends in it and
// parsers refuse the whole scrape otherwise, so a unit that the name does not end in is for the reference only.
func (f *Family) exposedUnit() string {
	if f.Unit != "" && strings.HasSuffix(f.openMetricsName(), "_"+f.Unit) {
		return f.Unit
	}
	return ""
}

// HasLabel tells whether the family has the label.
func (f *Family) HasLabel(name string) bool { return slices.Contains(f.Labels, name) }
