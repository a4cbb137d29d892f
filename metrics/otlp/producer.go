package otlp

import (
	"cmp"
	"context"
	"maps"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// producer turns the snapshots and the registry into metric data. The SDK calls it from one goroutine,
// and is done with the data when it asks for those of the next push.
type producer struct {
	*Pusher
	out      *metricsOut
	last     time.Time
	families map[*metrics.Family]*family
}

// family has the data points of one family, so that a push of the same series sets times and values
// and allocates nothing. It has no series that the last push had not.
type family struct {
	series []*metrics.Series
	points []metricdata.DataPoint[int64]
}

// Produce implements metric.Producer. All points of a push have one time, a later one than those of the
// last push by Prometheus' resolution: it refuses a second point at one time.
func (p *producer) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	p.out.away = false
	now := p.Now().Truncate(time.Millisecond)
	if !now.After(p.last) {
		now = p.last.Add(time.Millisecond)
	}
	p.last = now
	var data []metricdata.Metrics
	before := p.families
	p.families = map[*metrics.Family]*family{}
	p.mu.Lock()
	snapshots := maps.Clone(p.snapshots)
	p.mu.Unlock()
	for f, samples := range metrics.Families(snapshots) {
		current := cmp.Or(before[f], &family{})
		p.families[f] = current
		current.update(samples, now)
		m := metricdata.Metrics{Name: f.Name, Description: f.Help, Unit: f.UCUM(), Data: metricdata.Gauge[int64]{DataPoints: current.points}}
		if f.Type == metrics.Counter {
			m.Data = sum(current.points)
		}
		data = append(data, m)
	}
	return []metricdata.ScopeMetrics{{Scope: instrumentation.Scope{Name: scopeName, Version: p.Version}, Metrics: append(data, gathered(p.Registry, now)...)}}, nil
}

// update sets the points to the samples. They are made again only where series came or went.
func (f *family) update(samples [][]metrics.Sample, now time.Time) {
	n, same := 0, true
	for _, block := range samples {
		for i := range block {
			if same = same && n < len(f.series) && f.series[n] == block[i].Series; same {
				f.points[n].Time, f.points[n].Value = now, block[i].Value
			}
			n++
		}
	}
	if same && n == len(f.series) {
		return
	}
	known := make(map[*metrics.Series]attribute.Set, len(f.series))
	for i, s := range f.series {
		known[s] = f.points[i].Attributes
	}
	f.series, f.points = make([]*metrics.Series, 0, n), make([]metricdata.DataPoint[int64], 0, n)
	for _, block := range samples {
		for i := range block {
			s := block[i].Series
			set, ok := known[s]
			if !ok {
				set = attributes(s)
			}
			f.series = append(f.series, s)
			f.points = append(f.points, metricdata.DataPoint[int64]{Attributes: set, StartTime: s.Created(), Time: now, Value: block[i].Value})
		}
	}
}

func attributes(s *metrics.Series) attribute.Set {
	all := make([]attribute.KeyValue, 0, len(s.Family().Labels))
	for name, value := range s.Labels() {
		all = append(all, attribute.String(name, value))
	}
	return attribute.NewSet(all...)
}

func sum(points []metricdata.DataPoint[int64]) metricdata.Sum[int64] {
	return metricdata.Sum[int64]{DataPoints: points, Temporality: metricdata.CumulativeTemporality, IsMonotonic: true}
}
