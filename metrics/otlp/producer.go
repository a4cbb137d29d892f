package otlp

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// producer turns the snapshots and the registry into metric data. The SDK calls it from one
// goroutine, and is done with the data when it asks for those of the next push.
type producer struct {
	*Pusher
	out  *metricsOut
	last time.Time
	sets map[identity]attribute.Set // of the last push
}

// Produce implements metric.Producer. All points of a push have one time, which is later than that
// of the last push by Prometheus' resolution: Prometheus refuses a second point at one time.
func (p *producer) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	p.out.away = nil
	now := p.Now().Truncate(time.Millisecond)
	if !now.After(p.last) {
		now = p.last.Add(time.Millisecond)
	}
	p.last = now
	sets := make(map[identity]attribute.Set, len(p.sets))
	var data []metricdata.Metrics
	for _, g := range p.Published() {
		f := g.Family
		var points []metricdata.DataPoint[int64]
		var floats []metricdata.DataPoint[float64] // instead, of a family that is no integer
		for _, block := range g.Blocks {
			points = slices.Grow(points, len(block.Samples))
			for _, sample := range block.Samples {
				s := sample.Series
				id := identity{s, block.Labels}
				set, ok := p.sets[id]
				if !ok {
					set = id.attributes()
				}
				sets[id] = set
				if f.Scale != 0 {
					floats = append(floats, metricdata.DataPoint[float64]{Attributes: set, Time: now, Value: sample.Float()})
					continue
				}
				points = append(points, metricdata.DataPoint[int64]{Attributes: set, StartTime: s.Created(), Time: now, Value: sample.Value})
			}
		}
		m := metricdata.Metrics{Name: f.Name, Description: f.Help, Unit: f.UCUM()}
		switch {
		case f.Scale != 0:
			m.Data = metricdata.Gauge[float64]{DataPoints: floats}
		case f.Type == metrics.Counter:
			m.Data = metricdata.Sum[int64]{DataPoints: points, Temporality: metricdata.CumulativeTemporality, IsMonotonic: true}
		default:
			m.Data = metricdata.Gauge[int64]{DataPoints: points}
		}
		data = append(data, m)
	}
	p.sets = sets
	data = append(data, gathered(p.Registry, now)...)
	return []metricdata.ScopeMetrics{{Scope: instrumentation.Scope{Name: scopeName, Version: p.Version}, Metrics: data}}, nil
}

// identity is what the attributes of a point are made of.
type identity struct {
	series *metrics.Series
	own    *metrics.OwnLabels // of the target
}

func (i identity) attributes() attribute.Set {
	var labels []attribute.KeyValue
	for name, value := range i.series.Labels() {
		labels = append(labels, attribute.String(name, value))
	}
	for name, value := range i.own.All() {
		labels = append(labels, attribute.String(name, value))
	}
	return attribute.NewSet(labels...)
}
