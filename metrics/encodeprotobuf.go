package metrics

import (
	"math"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protowire"
)

// Tags of the fields of io.prometheus.client's metrics.proto, which is frozen: field number and
// wire type, in one byte.
const (
	varint  = byte(protowire.VarintType)
	fixed64 = byte(protowire.Fixed64Type)
	message = byte(protowire.BytesType) // or a string

	familyName, familyHelp, familyType      = 1<<3 | message, 2<<3 | message, 3<<3 | varint
	familyMetric, familyUnit                = 4<<3 | message, 5<<3 | message
	metricLabel, metricGauge, metricCounter = 1<<3 | message, 2<<3 | message, 3<<3 | message
	labelName, labelValue                   = 1<<3 | message, 2<<3 | message
	gaugeValue, counterCreated              = 1<<3 | fixed64, 3<<3 | message
	timestampSeconds, timestampNanos        = 1<<3 | varint, 2<<3 | varint
)

const tagSize = 1

// encodeProtobuf writes a group as one delimited MetricFamily. It is written by hand because the
// length comes first: two passes over the samples need no memory, where a family of a million
// metrics as objects needs gigabytes.
func encodeProtobuf(pg *page, g *group) {
	f := g.family
	kind := dto.MetricType_GAUGE
	if f.Type == Counter {
		kind = dto.MetricType_COUNTER
	}
	unit := f.exposedUnit()

	size := stringSize(f.Name) + stringSize(f.Help) + tagSize + protowire.SizeVarint(uint64(kind))
	if unit != "" {
		size += stringSize(unit)
	}
	var stack [valueCap]byte
	for _, block := range g.blocks {
		for i := range block {
			value := appendValue(stack[:0], &block[i])
			size += tagSize + protowire.SizeBytes(metricSize(block[i].Series, len(value)))
		}
	}

	b := protowire.AppendVarint(pg.buf, uint64(size))
	b = appendString(b, familyName, f.Name)
	b = appendString(b, familyHelp, f.Help)
	b = append(b, familyType)
	b = protowire.AppendVarint(b, uint64(kind))
	for _, block := range g.blocks {
		for i := range block {
			b = append(b, familyMetric)
			pg.buf = appendMetric(b, &block[i])
			pg.spill()
			b = pg.buf
		}
	}
	if unit != "" {
		b = appendString(b, familyUnit, unit)
	}
	pg.buf = b
	pg.spill()
}

func stringSize(s string) int { return tagSize + protowire.SizeBytes(len(s)) }

func appendString(b []byte, tag byte, s string) []byte {
	return protowire.AppendString(append(b, tag), s)
}

// metricSize returns the length of a Metric message without its tag and length.
func metricSize(s *Series, valueSize int) int {
	size := tagSize + protowire.SizeBytes(valueSize)
	for name, value := range s.Labels() {
		size += tagSize + protowire.SizeBytes(stringSize(name)+stringSize(value))
	}
	return size
}

func appendMetric(b []byte, sample *Sample) []byte {
	var stack [valueCap]byte
	s, value := sample.Series, appendValue(stack[:0], sample)
	b = protowire.AppendVarint(b, uint64(metricSize(s, len(value))))
	for name, text := range s.Labels() {
		b = append(b, metricLabel)
		b = protowire.AppendVarint(b, uint64(stringSize(name)+stringSize(text)))
		b = appendString(b, labelName, name)
		b = appendString(b, labelValue, text)
	}
	field := metricGauge
	if s.family.Type == Counter {
		field = metricCounter
	}
	return protowire.AppendBytes(append(b, field), value)
}

// valueCap is enough for every Counter: a double and a timestamp.
const valueCap = 32

// appendValue appends the Counter or Gauge message.
func appendValue(b []byte, sample *Sample) []byte {
	b = append(b, gaugeValue) // in a Counter the number is the same
	b = protowire.AppendFixed64(b, math.Float64bits(sample.Float()))
	s := sample.Series
	if s.family.Type != Counter || s.created == 0 {
		return b
	}
	// A field of the timestamp that is 0 is absent. Nanos are never negative, and protobuf writes
	// negative seconds as their two's complement.
	seconds, millis := s.created/1000, s.created%1000
	if millis < 0 {
		seconds, millis = seconds-1, millis+1000
	}
	var stack [valueCap]byte
	timestamp := stack[:0]
	if seconds != 0 {
		timestamp = append(timestamp, timestampSeconds)
		timestamp = protowire.AppendVarint(timestamp, uint64(seconds))
	}
	if millis != 0 {
		timestamp = append(timestamp, timestampNanos)
		timestamp = protowire.AppendVarint(timestamp, uint64(millis)*1e6)
	}
	return protowire.AppendBytes(append(b, counterCreated), timestamp)
}
