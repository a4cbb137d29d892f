package otlp

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	bridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// gathered returns what the registry gathers as metric data, by OpenTelemetry's bridge.
func gathered(registry prometheus.Gatherer, now time.Time) []metricdata.Metrics {
	families, _ := registry.Gather() // /metrics reports the error; what was gathered is pushed
	for _, f := range families {
		for _, m := range f.GetMetric() {
			asScraped(m, now)
		}
	}
	source := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })
	scopes, _ := bridge.NewMetricProducer(bridge.WithGatherer(source)).Produce(context.Background()) // no error but the source's
	var data []metricdata.Metrics
	for _, s := range scopes {
		for i := range s.Metrics {
			declare(&s.Metrics[i])
		}
		data = append(data, s.Metrics...)
	}
	return data
}

// asScraped prepares a metric for the bridge, so that the series behind the receiver are those of a
// scrape: start times have Prometheus' resolution, and histograms their classic buckets only.
func asScraped(m *dto.Metric, now time.Time) {
	m.TimestampMs = new(now.UnixMilli())
	if t := m.GetCounter().GetCreatedTimestamp(); t != nil {
		m.Counter.CreatedTimestamp = truncated(t)
	}
	if t := m.GetSummary().GetCreatedTimestamp(); t != nil {
		m.Summary.CreatedTimestamp = truncated(t)
	}
	if t := m.GetHistogram().GetCreatedTimestamp(); t != nil {
		m.Histogram.CreatedTimestamp = truncated(t)
	}
	if h := m.Histogram; h != nil {
		// Without these the bridge does not take the native histogram.
		h.ZeroThreshold, h.ZeroCount, h.PositiveSpan, h.NegativeSpan = nil, nil, nil, nil
	}
}

// truncated returns a copy: the registry shares the original with scrapes.
func truncated(t *timestamppb.Timestamp) *timestamppb.Timestamp {
	return timestamppb.New(t.AsTime().Truncate(time.Millisecond))
}

// declare sets unit and type of a family of the table as they are there.
func declare(m *metricdata.Metrics) {
	i := slices.IndexFunc(metrics.Table(), func(f *metrics.Family) bool { return f.Name == m.Name })
	if i < 0 {
		return
	}
	f := metrics.Table()[i]
	m.Unit = f.UCUM()
	if f.Type != metrics.Counter || f.Unit == "seconds" {
		return
	}
	// A count is an integer by its family, not by its value, so that it never changes its type.
	floats, _ := m.Data.(metricdata.Sum[float64]) // as the bridge makes of a counter
	points := make([]metricdata.DataPoint[int64], 0, len(floats.DataPoints))
	for _, p := range floats.DataPoints {
		points = append(points, metricdata.DataPoint[int64]{Attributes: p.Attributes, StartTime: p.StartTime, Time: p.Time, Value: int64(p.Value)})
	}
	m.Data = metricdata.Sum[int64]{DataPoints: points, Temporality: floats.Temporality, IsMonotonic: floats.IsMonotonic}
}
