package counts

import (
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// The codes of the state can be decoded.
func TestStateCodes(t *testing.T) {
	tables := NewTables(100, Choices{})
	for _, d := range Dimensions() {
		for _, name := range []string{"a", "b", "c"} {
			tables[d].Add(NewValue{Name: name}, 0, 0)
		}
	}
	for _, d := range Dimensions() {
		for i := range tables[d].values {
			id := NewValueID(d, uint32(i))
			if got := (&decoder{tables: tables, b: appendID(nil, id)}).id(); got != id {
				t.Errorf("%v %d is decoded as %v", d, i, got)
			}
		}
		past := decoder{tables: tables, b: appendID(nil, NewValueID(d, uint32(len(tables[d].values))))}
		if past.id(); !past.failed {
			t.Errorf("%v: a value past the table was decoded", d)
		}
	}
	const first = 1_772_539_800_000_000_000
	for _, own := range []int64{0, 2, first - 2, first, first + 2, first + int64(time.Hour)} {
		for _, first := range []int64{0, first} {
			c := metrics.RestoredCount(7, own)
			d := decoder{b: appendCount(nil, &c, first)}
			if got := d.count(first); got.FirstExposed() != own || got.Value != 7 || d.failed || len(d.b) > 0 {
				t.Errorf("first exposed %d, total %d: decoded as %+v", own, first, got)
			}
		}
	}
}
