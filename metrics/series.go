package metrics

import (
	"fmt"
	"iter"
	"strings"
	"time"
)

// Series is the identity of one time series. It is made once, when the series is born, never changes, and is shared by
// all snapshots and all exposition formats, so that neither a cycle nor a scrape builds label text again. It is small
// because there may be a million: the label values live only inside the label text and are cut out of it when asked for.
type Series struct {
	family  *Family
	created int64  // milliseconds since 1970, Prometheus' resolution, so that all formats tell the same; 0: none
	text    string // {a="x",b="y"}: escaped, as both text formats want it; "" for a family without labels
}

// textEscaper escapes label values as the text format and OpenMetrics demand.
var textEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// NewSeries makes a series of the family f with one value for each of its labels, in the order of f.Labels. Bytes that
// are no UTF-8 become U+FFFD, because every format refuses them and with them the whole scrape. created is when the
// series' counting began; the zero time, as for gauges, is none. It panics when the number of values is wrong, or when the
// registry serves f: both are mistakes of the caller that no input can cause.
func NewSeries(f *Family, created time.Time, values ...string) *Series {
	checkValues(f, len(values))
	s := &Series{family: f}
	if !created.IsZero() {
		s.created = created.UnixMilli()
	}
	if len(values) == 0 {
		return s
	}
	size := 2
	for i, v := range values {
		size += len(f.Labels[i]) + len(v) + 4
	}
	var b strings.Builder
	b.Grow(size)
	for i, v := range values {
		if i == 0 {
			b.WriteByte('{')
		} else {
			b.WriteByte(',')
		}
		b.WriteString(f.Labels[i])
		b.WriteString(`="`)
		b.WriteString(escaped(v))
		b.WriteByte('"')
	}
	b.WriteByte('}')
	s.text = b.String()
	return s
}

// checkValues panics on mistakes of the caller that no input can cause.
func checkValues(f *Family, values int) {
	if values != len(f.Labels) {
		panic(fmt.Sprintf("metrics: %s has %d labels, got %d values", f.Name, len(f.Labels), values))
	}
	if !f.InSnapshot() {
		panic(fmt.Sprintf("metrics: %s is served by the registry, not by snapshots", f.Name))
	}
}

// Family is the family that the series belongs to.
func (s *Series) Family() *Family { return s.family }

// Created is when the series' counting began, to the millisecond and in UTC; the zero time if it was made without.
func (s *Series) Created() time.Time {
	if s.created == 0 {
		return time.Time{}
	}
	return time.UnixMilli(s.created).UTC()
}

// Labels yields the label names and values in the family's order. It allocates only for values that hold a quote, a
// backslash or a line break.
func (s *Series) Labels() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		rest := s.text
		for _, name := range s.family.Labels {
			rest = rest[len(name)+3:] // the brace or comma, the name, ="
			end, escaped := 0, false
			for rest[end] != '"' {
				if rest[end] == '\\' {
					escaped = true
					end++
				}
				end++
			}
			value := rest[:end]
			if escaped {
				value = unescape(value)
			}
			if !yield(name, value) {
				return
			}
			rest = rest[end+1:]
		}
	}
}

// unescape undoes textEscaper.
func unescape(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' {
			i++
			if c = s[i]; c == 'n' {
				c = '\n'
			}
		}
		b = append(b, c)
	}
	return string(b)
}

// Values are the label values in the order of the family's labels, as NewSeries took them but for invalid UTF-8.
func (s *Series) Values() []string {
	values := make([]string, 0, len(s.family.Labels))
	for _, v := range s.Labels() {
		values = append(values, v)
	}
	return values
}

// String is the series as the text format writes it: name{label="value",...}.
func (s *Series) String() string { return s.family.Name + s.text }
