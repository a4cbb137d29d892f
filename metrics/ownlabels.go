package metrics

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
)

// MaxOwnLabels is how many labels of its own a target may have.
const MaxOwnLabels = 16

// OwnLabels are labels that a target has on each of its series, beside those of the table. They are
// added when a series is rendered, so that they take no memory by series. nil: there are none.
type OwnLabels struct {
	text  string           // ,env="prod",team="x", escaped for both text formats
	pairs []*dto.LabelPair // by name
}

// NewOwnLabels returns labels that CheckOwnLabels accepts.
func NewOwnLabels(labels map[string]string) *OwnLabels {
	if len(labels) == 0 {
		return nil
	}
	o := &OwnLabels{}
	var text []byte
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		value := labels[name]
		text = appendLabel(text, len(text)+1, name, value)
		o.pairs = append(o.pairs, &dto.LabelPair{Name: &name, Value: &value})
	}
	o.text = string(text)
	return o
}

// All yields the labels by name.
func (o *OwnLabels) All() func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for _, pair := range o.labelPairs() {
			if !yield(pair.GetName(), pair.GetValue()) {
				return
			}
		}
	}
}

// appendTo appends the label text of a series with these labels.
func (o *OwnLabels) appendTo(b []byte, text string) []byte {
	if o == nil {
		return append(b, text...)
	}
	b = append(b, text[:len(text)-1]...) // a series of a target has a label, target
	b = append(b, o.text...)
	return append(b, '}')
}

// String returns the labels as the text formats have them: ,name="value",...
func (o *OwnLabels) String() string {
	if o == nil {
		return ""
	}
	return o.text
}

// labelPairs returns the labels for protobuf. They are shared and must not be written to.
func (o *OwnLabels) labelPairs() []*dto.LabelPair {
	if o == nil {
		return nil
	}
	return o.pairs
}

var labelName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]{0,63}$`)

// CheckOwnLabels returns what is wrong with labels; nil if nothing is.
func CheckOwnLabels(labels map[string]string) error {
	if len(labels) > MaxOwnLabels {
		return fmt.Errorf("at most %d labels are allowed but there are %d", MaxOwnLabels, len(labels))
	}
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		switch value := labels[name]; {
		case !labelName.MatchString(name):
			wrong = append(wrong, fmt.Errorf("%.80q is no name of a label: it begins with a letter, goes on with letters, digits and _, and has 64 characters at most", name))
		case reservedLabels()[name]:
			wrong = append(wrong, fmt.Errorf("the label %q is reserved for Prometheus", name))
		case ofTable(name), ofEvents(name):
			wrong = append(wrong, fmt.Errorf("the label %q is one of the exporter's own", name))
		case value == "":
			wrong = append(wrong, fmt.Errorf("the label %q has no value", name))
		case len(value) > MaxLabelValue:
			wrong = append(wrong, fmt.Errorf("the label %q has %d bytes; %d are allowed", name, len(value), MaxLabelValue))
		case !utf8.ValidString(value):
			wrong = append(wrong, fmt.Errorf("the label %q is not UTF-8", name))
		}
	}
	return errors.Join(wrong...)
}

// reservedLabels are those that Prometheus sets itself: at a scrape, in histograms and summaries,
// and on alerts.
func reservedLabels() map[string]bool {
	return map[string]bool{"job": true, "instance": true, "le": true, "quantile": true, "alertname": true, "alertstate": true}
}

// ofEvents reports whether the log records of events have an attribute that no family has as label.
func ofEvents(name string) bool {
	return slices.Contains([]string{"apis", "more_apis", "window_from", "window_to"}, name)
}

func ofTable(name string) bool {
	return slices.ContainsFunc(Table(), func(f *Family) bool { return slices.Contains(f.Labels, name) })
}

// Gather gathers the exporter's own health, with the own labels of each target.
func (e *Exposition) Gather() ([]*dto.MetricFamily, error) {
	families, err := e.health.Gather()
	snapshots := e.current.Load().snapshots
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() != LabelTarget {
					continue
				}
				if s := snapshots[l.GetValue()]; s != nil && s.Labels != nil {
					m.Label = slices.Concat(m.Label, s.Labels.pairs) // a copy: the registry shares its own
				}
				break
			}
		}
	}
	return families, err
}
