package metrics

import (
	"cmp"
	"strings"
)

// Type is the type of a metric family, as the Prometheus exposition formats name it.
type Type string

// The types that the table uses.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
)

// Values of Family.Stability. Stable families are never renamed and never get another meaning.
// Experimental ones may change in any release.
const (
	Stable       = "stable"
	Experimental = "experimental"
)

// Group is a chapter of the reference.
type Group string

const (
	// GroupCounters holds the requests and detections that are counted; snapshots have them.
	GroupCounters Group = "Counters"
	// GroupWindow holds the gauges of the sliding window; snapshots have them.
	GroupWindow Group = "Window"
	// GroupState holds what ABS reports about itself; snapshots have it.
	GroupState Group = "State"
	// GroupHealth holds the exporter's own health; the registry serves it, but for what Family.Counted
	// marks.
	GroupHealth Group = "Health"
	// GroupPush holds the outcome of OTLP pushes. The registry serves it, and only while pushing is
	// on.
	GroupPush Group = "Push"
)

// LabelTarget is the first label of every family but abs_exporter_build_info,
// abs_exporter_log_lines_dropped_total, those of reloads and those of GroupPush: the name of one
// ABS deployment.
const LabelTarget = "target"

// Family describes one metric family. The values in the table are shared and must not be written
// to.
type Family struct {
	Name string // with _total for counters, as in the text format
	Help string // one or two sentences: what is counted, and when it is absent
	Note string // further text for the reference only; may be empty
	Unit string // Prometheus base unit in the plural, "" for a number without one
	Type Type
	// Labels are the label names in the order of the values of NewSeries.
	Labels []string
	// LabelValues holds, for labels whose values are a closed set, all of them.
	LabelValues map[string][]string
	// Buckets are the upper bounds of the classic histogram, in Unit. Only for histograms.
	Buckets   []float64
	Stability string
	Group     Group
	// Scale is how many of its samples' units make 1, for a gauge that is no integer; 0: one.
	Scale int64
	// Counted marks those of GroupHealth that are counted and saved with the requests, so that
	// snapshots have them.
	Counted bool
}

// ofTarget returns a family of the group with a series for each target: Labels are those after
// target.
func (g Group) ofTarget(f Family) *Family {
	f.Labels = append([]string{LabelTarget}, f.Labels...)
	return g.family(f)
}

// family returns a family of the group. A name with _total is that of a counter, and buckets make a
// histogram; it is stable if nothing else is said.
func (g Group) family(f Family) *Family {
	f.Group, f.Type, f.Stability = g, Gauge, cmp.Or(f.Stability, Stable)
	switch {
	case strings.HasSuffix(f.Name, "_total"):
		f.Type = Counter
	case len(f.Buckets) > 0:
		f.Type = Histogram
	}
	return &f
}

// InSnapshot reports whether snapshots have the family; the registry serves all others. So no
// scrape can contain a series twice.
func (f *Family) InSnapshot() bool {
	return f.Group == GroupCounters || f.Group == GroupWindow || f.Group == GroupState || f.Counted
}

// openMetricsName returns the family's name in OpenMetrics' TYPE, HELP and UNIT lines: a counter
// has no _total there.
func (f *Family) openMetricsName() string {
	if f.Type == Counter {
		return strings.TrimSuffix(f.Name, "_total")
	}
	return f.Name
}

// exposedUnit returns the unit in an exposition. OpenMetrics requires that the family's name ends
// in it, and parsers refuse the whole scrape otherwise, so a unit that the name does not end in is
// for the reference only.
func (f *Family) exposedUnit() string {
	if f.Unit != "" && strings.HasSuffix(f.openMetricsName(), "_"+f.Unit) {
		return f.Unit
	}
	return ""
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
