package metrics

import (
	"fmt"
	"iter"
	"strings"
	"time"
)

// Series is the identity of one time series. It is made once, never changes, and is shared by all
// snapshots and all exposition formats, so that neither a cycle nor a scrape builds label text
// again. It is small because there may be a million: the label values exist only inside the label
// text and are cut out of it on demand.
type Series struct {
	family  *Family
	created int64  // in milliseconds since 1970, Prometheus' resolution, equal in all formats; 0: none
	text    string // {a="x",b="y"}, escaped for both text formats; "" for a family without labels
}

// NewSeries returns a series of the family f with one value for each of its labels, in the order of
// f.Labels. Bytes that are not UTF-8 become U+FFFD, because every format refuses them and with them
// the whole scrape. created is when the series' counting began; the zero time, as for gauges, is
// none. It panics when the number of values is wrong, or when the registry serves f: no input can
// cause either.
func NewSeries(f *Family, created time.Time, values ...string) *Series {
	checkValues(f, len(values))
	s := &Series{family: f, created: milliseconds(created)}
	if len(values) > 0 {
		var stack [512]byte
		text := stack[:0]
		for i, v := range values {
			text = appendLabel(text, i, f.Labels[i], v)
		}
		s.text = string(append(text, '}'))
	}
	return s
}

// checkValues panics on mistakes that no input can cause.
func checkValues(f *Family, values int) {
	if values != len(f.Labels) {
		panic(fmt.Sprintf("metrics: %s has %d labels, got %d values", f.Name, len(f.Labels), values))
	}
	if !f.InSnapshot() {
		panic(fmt.Sprintf("metrics: %s is served by the registry, not by snapshots", f.Name))
	}
}

func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// appendLabel appends the label of the given index to a label text that is not closed yet.
func appendLabel(b []byte, index int, name, value string) []byte {
	separator := byte(',')
	if index == 0 {
		separator = '{'
	}
	b = append(b, separator)
	b = append(b, name...)
	b = append(b, `="`...)
	b = append(b, escaped(value)...)
	return append(b, '"')
}

// textEscaper escapes label values as the text format and OpenMetrics require.
var textEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// escaped returns a label value escaped for both text formats: the value itself in nearly all
// cases.
func escaped(v string) string {
	for i := range len(v) {
		if c := v[i]; c >= 0x80 || c == '"' || c == '\\' || c == '\n' {
			return textEscaper.Replace(strings.ToValidUTF8(v, "\uFFFD"))
		}
	}
	return v
}

// textUnescaper reverses textEscaper.
var textUnescaper = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\"`, `"`)

// Family returns the family that the series belongs to.
func (s *Series) Family() *Family { return s.family }

// Created returns when the series' counting began, to the millisecond and in UTC; the zero time if
// the series was made without.
func (s *Series) Created() time.Time {
	if s.created == 0 {
		return time.Time{}
	}
	return time.UnixMilli(s.created).UTC()
}

// Labels yields the label names in the family's order, and the values as they were passed to
// NewSeries, except for invalid UTF-8. It allocates only for values with a quote, a backslash or a
// line break.
func (s *Series) Labels() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		text := s.text
		for _, name := range s.family.Labels {
			text = text[len(name)+3:] // the brace or comma, the name, ="
			end, escaped := 0, false
			for text[end] != '"' {
				if text[end] == '\\' {
					escaped = true
					end++
				}
				end++
			}
			value := text[:end]
			if escaped {
				value = textUnescaper.Replace(value)
			}
			if !yield(name, value) {
				return
			}
			text = text[end+1:]
		}
	}
}

// String returns the series as the text format writes it: name{label="value",...}.
func (s *Series) String() string { return s.family.Name + s.text }

// With is String with the labels of a target's own.
func (s *Series) With(o *OwnLabels) string { return s.family.Name + string(o.appendTo(nil, s.text)) }
