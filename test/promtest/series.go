package promtest

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// Point is one stored sample.
type Point struct {
	At    time.Time
	Value float64
	Stale bool // the marker that the series was gone; Value has no meaning
}

// Series is all that is stored of one series of floats, in the order of time.
type Series struct {
	Labels labels.Labels
	Points []Point
}

// Samples returns every series that the selector matches, ordered by its labels, with every stored
// sample. Native histograms are left out. An invalid selector, or a database that cannot be read,
// ends the test.
func (p *Prometheus) Samples(selector string) []Series {
	p.tb.Helper()
	matchers, err := parser.NewParser(parser.Options{}).ParseMetricSelector(selector)
	if err != nil {
		p.tb.Fatalf("selector %s: %v", selector, err)
	}
	querier, err := p.db.Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		p.tb.Fatalf("reading %s: %v", selector, err)
	}
	defer func() {
		if err := querier.Close(); err != nil {
			p.tb.Errorf("reading %s: %v", selector, err)
		}
	}()
	var all []Series
	var it chunkenc.Iterator
	set := querier.Select(context.Background(), true, nil, matchers...)
	for set.Next() {
		s := Series{Labels: set.At().Labels()}
		it = set.At().Iterator(it)
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			if kind != chunkenc.ValFloat {
				continue
			}
			t, v := it.At()
			s.Points = append(s.Points, Point{At: time.UnixMilli(t), Value: v, Stale: value.IsStaleNaN(v)})
		}
		if err := it.Err(); err != nil {
			p.tb.Fatalf("reading %s: %v", s.Labels, err)
		}
		if len(s.Points) > 0 {
			all = append(all, s)
		}
	}
	if err := set.Err(); err != nil {
		p.tb.Fatalf("reading %s: %v", selector, err)
	}
	return all
}

// Increase returns by how much one counter rose from its first stored sample to its last, exactly:
// unlike increase() it does not extrapolate. A fall is a reset, after which the counter had started
// again from 0. The first sample's value is not in it, just as no Prometheus without a feature flag
// would count it.
func (s Series) Increase() float64 {
	var sum, last float64
	first := true
	for _, p := range s.Points {
		switch {
		case p.Stale:
			continue
		case first:
			first = false
		case p.Value < last:
			sum += p.Value
		default:
			sum += p.Value - last
		}
		last = p.Value
	}
	return sum
}

// Falls returns how often a sample was lower than the one before: what a counter of one process
// never does. A series that ended with a stale marker and was created again may begin lower.
func (s Series) Falls() int {
	falls := 0
	for i := 1; i < len(s.Points); i++ {
		before, now := s.Points[i-1], s.Points[i]
		if !before.Stale && !now.Stale && now.Value < before.Value {
			falls++
		}
	}
	return falls
}

// Increases is the increase of each counter of one selector.
type Increases []Increase

// Increase is the increase of one counter; see Series.Increase.
type Increase struct {
	Labels labels.Labels
	Value  float64
}

// Increase returns the exact increase of each series that the selector matches, 0 included.
func (p *Prometheus) Increase(selector string) Increases {
	p.tb.Helper()
	all := p.Samples(selector)
	out := make(Increases, len(all))
	for i, s := range all {
		out[i] = Increase{Labels: s.Labels, Value: s.Increase()}
	}
	return out
}

// Sum returns the increase of all series together.
func (in Increases) Sum() float64 {
	var sum float64
	for _, i := range in {
		sum += i.Value
	}
	return sum
}

// By returns the increase summed by the values of labels, under Key(values...); a series without
// such a label has it empty, as in Prometheus.
func (in Increases) By(names ...string) map[string]float64 {
	out := make(map[string]float64)
	values := make([]string, len(names))
	for _, i := range in {
		for k, name := range names {
			values[k] = i.Labels.Get(name)
		}
		out[Key(values...)] += i.Value
	}
	return out
}

// Key returns the key of label values in the result of By: one value as it is; several are quoted,
// so that no two lists of values have the same key.
func Key(values ...string) string {
	if len(values) == 1 {
		return values[0]
	}
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = strconv.Quote(v)
	}
	return strings.Join(quoted, " ")
}
