package otlp

import (
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// healthPoints encodes the points of a gathered family and gives the streams' own state to f. Values are floats, as
// client_golang's are, but for the table's own counts. Histograms go with their classic buckets, so that the series behind the receiver are those of a
// scrape; buckets of native histograms alone are left out.
func (f *family) healthPoints(m *dto.MetricFamily, now uint64, points []byte, ends []int) ([]byte, []int) {
	var attrs, point []byte
	for _, metric := range m.GetMetric() {
		attrs = attrs[:0]
		for _, l := range metric.GetLabel() {
			attrs = appendStringAttribute(attrs, f.kind.attributesField(), l.GetName(), l.GetValue())
		}
		st := f.find(attrs)
		st.start = created(metric)
		f.place(st)
		point = append(point[:0], attrs...)
		if st.start != 0 {
			point = appendFixed64(point, fieldStart, st.start)
		}
		point = appendFixed64(point, fieldTime, now)
		point = f.appendValue(point, metric)
		f.shape = f.kind.appendShape(f.shape[:0], metric)
		points = appendMessage(points, fieldDataPoints, point)
		ends = append(ends, len(points))
	}
	return points, ends
}

func healthKind(t dto.MetricType) (kind, bool) {
	switch t {
	case dto.MetricType_COUNTER:
		return kindSum, true
	case dto.MetricType_GAUGE, dto.MetricType_UNTYPED:
		return kindGauge, true
	case dto.MetricType_HISTOGRAM:
		return kindHistogram, true
	case dto.MetricType_SUMMARY:
		return kindSummary, true
	default: // gauge histograms: OTLP has none, and nobody here makes one
		return 0, false
	}
}

func created(m *dto.Metric) uint64 {
	var t *timestamppb.Timestamp
	switch {
	case m.Counter != nil:
		t = m.GetCounter().GetCreatedTimestamp()
	case m.Histogram != nil:
		t = m.GetHistogram().GetCreatedTimestamp()
	case m.Summary != nil:
		t = m.GetSummary().GetCreatedTimestamp()
	}
	if t == nil {
		return 0
	}
	// Prometheus' resolution, so that a scrape and a push tell the same.
	return nanoseconds(t.AsTime().Truncate(time.Millisecond))
}

func (f *family) appendValue(b []byte, m *dto.Metric) []byte {
	switch f.kind {
	case kindHistogram:
		return appendHistogram(b, m.GetHistogram())
	case kindSummary:
		return appendSummary(b, m.GetSummary())
	case kindSum:
		if f.whole {
			return appendFixed64(b, fieldAsInt, uint64(m.GetCounter().GetValue()))
		}
		return appendDouble(b, fieldAsDouble, m.GetCounter().GetValue())
	default:
		if m.Untyped != nil {
			return appendDouble(b, fieldAsDouble, m.GetUntyped().GetValue())
		}
		return appendDouble(b, fieldAsDouble, m.GetGauge().GetValue())
	}
}

func appendHistogram(b []byte, h *dto.Histogram) []byte {
	b = appendFixed64(b, fieldHistogramCount, h.GetSampleCount())
	b = appendDouble(b, fieldHistogramSum, h.GetSampleSum())
	buckets := finite(h.GetBucket())
	b = appendHead(b, fieldHistogramBuckets, 8*(len(buckets)+1))
	var before uint64
	for _, bucket := range buckets {
		b = protowire.AppendFixed64(b, bucket.GetCumulativeCount()-before)
		before = bucket.GetCumulativeCount()
	}
	b = protowire.AppendFixed64(b, h.GetSampleCount()-before)
	return appendBounds(b, buckets)
}

// finite leaves out +Inf, which OTLP has without a bound.
func finite(buckets []*dto.Bucket) []*dto.Bucket {
	if n := len(buckets); n > 0 && buckets[n-1].GetUpperBound() > maxBound {
		return buckets[:n-1]
	}
	return buckets
}

func appendBounds(b []byte, buckets []*dto.Bucket) []byte {
	b = appendHead(b, fieldHistogramBounds, 8*len(buckets))
	for _, bucket := range buckets {
		b = protowire.AppendFixed64(b, bits(bucket.GetUpperBound()))
	}
	return b
}

// appendShape appends what the ending of a histogram or summary needs: Prometheus ends the series of _sum, buckets and
// quantiles that the point names, and no others.
func (k kind) appendShape(b []byte, m *dto.Metric) []byte {
	switch k {
	case kindHistogram:
		buckets := finite(m.GetHistogram().GetBucket())
		b = appendDouble(b, fieldHistogramSum, 0)
		b = appendHead(b, fieldHistogramBuckets, 8*(len(buckets)+1))
		b = append(b, make([]byte, 8*(len(buckets)+1))...)
		return appendBounds(b, buckets)
	case kindSummary:
		b = appendDouble(b, fieldSummarySum, 0)
		for _, q := range m.GetSummary().GetQuantile() {
			b = appendHead(b, fieldSummaryQuantiles, 2*fixed64Size)
			b = appendDouble(b, fieldQuantile, q.GetQuantile())
			b = appendDouble(b, fieldQuantileValue, 0)
		}
	}
	return b
}

func appendSummary(b []byte, s *dto.Summary) []byte {
	b = appendFixed64(b, fieldSummaryCount, s.GetSampleCount())
	b = appendDouble(b, fieldSummarySum, s.GetSampleSum())
	for _, q := range s.GetQuantile() {
		b = appendHead(b, fieldSummaryQuantiles, 2*fixed64Size)
		b = appendDouble(b, fieldQuantile, q.GetQuantile())
		b = appendDouble(b, fieldQuantileValue, q.GetValue())
	}
	return b
}
