package metrics

import (
	"slices"
	"time"
)

// Batch makes series that are created and dropped together, such as those of one token, with two
// allocations for all of them. Each of them keeps the memory of all, so series that end at
// different times do not belong into one batch. The zero value is ready, and so is a Batch after
// Make; it keeps its buffers.
type Batch struct {
	series []batchSeries
	text   []byte // the label texts, one after the other
	// The labels but the last, and their values, of the series added last: the series of a token
	// differ only in the last label, so the text before it is copied.
	names, values []string
	prefix        []byte
}

type batchSeries struct {
	family  *Family
	created int64
	end     int // of its text
}

// Add adds a series; the arguments are those of NewSeries.
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
	b.series = append(b.series, batchSeries{family: f, created: milliseconds(created), end: len(b.text)})
}

// Make returns the series that were added, in their order.
func (b *Batch) Make() []Series {
	made := make([]Series, len(b.series))
	text := string(b.text)
	from := 0
	for i, s := range b.series {
		made[i] = Series{family: s.family, created: s.created, text: text[from:s.end]}
		from = s.end
	}
	b.series, b.text = b.series[:0], b.text[:0]
	return made
}
