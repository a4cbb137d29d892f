package otlp

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Numbers of fields, from opentelemetry-proto 1.11 (frozen: OTLP 1.x never renumbers).
const (
	// ExportMetricsServiceRequest, ExportLogsServiceRequest and the responses.
	fieldRequestResource = 1
	fieldPartialSuccess  = 1
	fieldRejected        = 1
	fieldErrorMessage    = 2

	// ResourceMetrics and ResourceLogs, ScopeMetrics and ScopeLogs alike.
	fieldResource  = 1
	fieldScopes    = 2
	fieldScope     = 1
	fieldItems     = 2
	fieldSchemaURL = 3

	fieldResourceAttributes = 1
	fieldScopeName          = 1
	fieldScopeVersion       = 2

	// KeyValue, AnyValue, ArrayValue.
	fieldKey         = 1
	fieldValue       = 2
	fieldStringValue = 1
	fieldBoolValue   = 2
	fieldIntValue    = 3
	fieldDoubleValue = 4
	fieldArrayValue  = 5
	fieldArrayValues = 1

	// Metric.
	fieldMetricName        = 1
	fieldMetricDescription = 2
	fieldMetricUnit        = 3
	fieldMetricGauge       = 5
	fieldMetricSum         = 7
	fieldMetricHistogram   = 9
	fieldMetricSummary     = 11

	// Gauge, Sum, Histogram, Summary.
	fieldDataPoints  = 1
	fieldTemporality = 2
	fieldMonotonic   = 3

	temporalityCumulative = 2

	// NumberDataPoint, and what the other points have at the same places.
	fieldStart           = 2
	fieldTime            = 3
	fieldAsDouble        = 4
	fieldAsInt           = 6
	fieldPointAttributes = 7
	fieldNumberFlags     = 8

	// HistogramDataPoint.
	fieldHistogramCount      = 4
	fieldHistogramSum        = 5
	fieldHistogramBuckets    = 6
	fieldHistogramBounds     = 7
	fieldHistogramAttributes = 9
	fieldHistogramFlags      = 10

	// SummaryDataPoint.
	fieldSummaryCount     = 4
	fieldSummarySum       = 5
	fieldSummaryQuantiles = 6
	fieldQuantile         = 1
	fieldQuantileValue    = 2
	fieldSummaryFlags     = 8

	flagNoRecordedValue = 1

	// LogRecord.
	fieldLogTime         = 1
	fieldLogSeverity     = 2
	fieldLogSeverityText = 3
	fieldLogBody         = 5
	fieldLogAttributes   = 6
	fieldLogObserved     = 11
	fieldLogEventName    = 12
)

// fixed64Size is a field of eight bytes with its tag; all such fields here have numbers below 16.
const fixed64Size = 9

func appendFixed64(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, field, protowire.Fixed64Type), v)
}

func appendDouble(b []byte, field protowire.Number, v float64) []byte {
	return appendFixed64(b, field, math.Float64bits(v))
}

func appendVarint(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendString(b []byte, field protowire.Number, v string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), v)
}

func appendMessage(b []byte, field protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), message)
}

// appendHead begins a message whose length is known.
func appendHead(b []byte, field protowire.Number, size int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(size))
}

// messageSize is a message of the size with tag and length, for fields below 16.
func messageSize(size int) int { return 1 + protowire.SizeBytes(size) }

// stringSize is a string with tag and length, for fields below 16.
func stringSize(s string) int { return messageSize(len(s)) }

// appendStringAttribute appends a KeyValue whose value is a string.
func appendStringAttribute(b []byte, field protowire.Number, key, value string) []byte {
	size := stringSize(value)
	b = appendHead(b, field, stringSize(key)+messageSize(size))
	b = appendString(b, fieldKey, key)
	b = appendHead(b, fieldValue, size)
	return appendString(b, fieldStringValue, value)
}

// maxBound is the largest bound of a bucket that is not +Inf.
const maxBound = math.MaxFloat64

func bits(v float64) uint64 { return math.Float64bits(v) }
