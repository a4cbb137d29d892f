package otlp

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	bridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// gathered returns what the registry gathers as metric data, by OpenTelemetry's bridge. Histograms
// keep their classic buckets, so that the series behind the receiver are those of a scrape.
func gathered(registry prometheus.Gatherer, now time.Time) (data []metricdata.Metrics) {
	at := now.UnixMilli()
	from := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		families, _ := registry.Gather() // /metrics reports the error; what was gathered is pushed
		for _, f := range families {
			for _, m := range f.GetMetric() {
				m.TimestampMs = &at
				// Prometheus' resolution, so that a scrape and a push agree.
				for _, t := range []*timestamppb.Timestamp{m.GetCounter().GetCreatedTimestamp(), m.GetHistogram().GetCreatedTimestamp(), m.GetSummary().GetCreatedTimestamp()} {
					if t != nil {
						t.Nanos -= t.Nanos % 1e6
					}
				}
				if h := m.Histogram; h != nil { // else the bridge would take the native histogram
					h.ZeroThreshold, h.ZeroCount, h.PositiveSpan, h.NegativeSpan = nil, nil, nil, nil
				}
			}
		}
		return families, nil
	})
	scopes, _ := bridge.NewMetricProducer(bridge.WithGatherer(from)).Produce(context.Background()) // no error but the gatherer's
	for _, s := range scopes {
		data = append(data, s.Metrics...)
	}
	for i := range data {
		for _, f := range metrics.Table() {
			if f.Name == data[i].Name {
				data[i].Unit = f.UCUM()
				if f.Type == metrics.Counter && f.Unit != "seconds" { // by the family, so that points never change their type
					data[i].Data = integers(data[i].Data)
				}
			}
		}
	}
	return data
}

func integers(data metricdata.Aggregation) metricdata.Aggregation {
	floats, _ := data.(metricdata.Sum[float64]) // as the bridge makes of a counter
	points := make([]metricdata.DataPoint[int64], 0, len(floats.DataPoints))
	for _, p := range floats.DataPoints {
		points = append(points, metricdata.DataPoint[int64]{Attributes: p.Attributes, StartTime: p.StartTime, Time: p.Time, Value: int64(p.Value)})
	}
	return sum(points)
}
