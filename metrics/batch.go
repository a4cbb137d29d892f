package metrics

import (
	"slices"
	"strings"
	"time"
)

// Batch makes series that live and die together, such as those of one token, in two allocations for all of them. Each of
// them keeps the memory of all: do not batch what ends at different times. The zero value is ready, and so is a Batch
// after Make; it keeps its buffers.
type Batch struct {
	born []newborn
	text []byte // the label texts, one after the other
	// The labels but the last, and their values, of the series that was added last: those of a token differ only in
	// the last one, so that the text before it is copied.
	names, values []string
	prefix        []byte
}

type newborn struct {
	family  *Family
	created int64
	end     int // of its text
}

// Add takes a series, as NewSeries does.
func (b *Batch) Add(f *Family, created time.Time, values ...string) {
	checkValues(f, len(values))
	if last := len(values) - 1; last >= 0 {
		if !slices.Equal(b.values, values[:last]) || !slices.Equal(b.names, f.Labels[:last]) {
			b.names = append(b.names[:0], f.Labels[:last]...)
			b.values = append(b.values[:0], values[:last]...)
			b.prefix = b.prefix[:0]
			for i, v := range b.values {
				b.prefix = appendLabel(b.prefix, i, b.names[i], v)
			}
		}
		b.text = append(b.text, b.prefix...)
		b.text = appendLabel(b.text, last, f.Labels[last], values[last])
		b.text = append(b.text, '}')
	}
	n := newborn{family: f, end: len(b.text)}
	if !created.IsZero() {
		n.created = created.UnixMilli()
	}
	b.born = append(b.born, n)
}

// Make makes the series that were added, in their order.
func (b *Batch) Make() []Series {
	made := make([]Series, len(b.born))
	text := string(b.text)
	from := 0
	for i, n := range b.born {
		made[i] = Series{family: n.family, created: n.created, text: text[from:n.end]}
		from = n.end
	}
	b.born, b.text = b.born[:0], b.text[:0]
	return made
}

func appendLabel(b []byte, place int, name, value string) []byte {
	if place == 0 {
		b = append(b, '{')
	} else {
		b = append(b, ',')
	}
	b = append(b, name...)
	b = append(b, `="`...)
	b = append(b, escaped(value)...)
	return append(b, '"')
}

// escaped is a label value as both text formats want it: the value itself, as a rule.
func escaped(v string) string {
	for i := range len(v) {
		if c := v[i]; c >= 0x80 || c == '"' || c == '\\' || c == '\n' {
			return textEscaper.Replace(strings.ToValidUTF8(v, "\uFFFD"))
		}
	}
	return v
}
