package metrics

import (
	"encoding/binary"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// encodeProtobuf writes a group as one delimited MetricFamily. A family of a million metrics as one
// object needs gigabytes, so the header and each metric are marshalled as separate messages:
// protobuf merges consecutive messages. The length precedes them, so all are measured first.
func encodeProtobuf(pg *page, g *FamilySamples) {
	head := &dto.MetricFamily{Name: &g.Family.Name, Help: &g.Family.Help, Type: dto.MetricType_GAUGE.Enum()}
	if g.Family.Type == Counter {
		head.Type = dto.MetricType_COUNTER.Enum()
	}
	if unit := g.Family.exposedUnit(); unit != "" {
		head.Unit = &unit
	}
	m := newFamilyMessage(g.Family)
	size := proto.Size(head)
	for _, block := range g.Blocks {
		m.own(block.Labels)
		for i := range block.Samples {
			size += proto.Size(m.with(&block.Samples[i]))
		}
	}
	pg.buf = appendMessage(binary.AppendUvarint(pg.buf, uint64(size)), head)
	for _, block := range g.Blocks {
		m.own(block.Labels)
		for i := range block.Samples {
			pg.buf = appendMessage(pg.buf, m.with(&block.Samples[i]))
			pg.spill()
		}
	}
}

func appendMessage(b []byte, m proto.Message) []byte {
	b, err := proto.MarshalOptions{}.MarshalAppend(b, m)
	if err != nil {
		panic(err) // no field is required, and nothing is near 2 GiB
	}
	return b
}

// familyMessage is a MetricFamily that has one metric and no header. It is used again for each
// sample of a family.
type familyMessage struct {
	message *dto.MetricFamily
	metric  *dto.Metric
	labels  int // of the family
	value   *float64
	created *timestamppb.Timestamp
}

func newFamilyMessage(f *Family) *familyMessage {
	m := &familyMessage{metric: new(dto.Metric), labels: len(f.Labels), value: new(float64), created: new(timestamppb.Timestamp)}
	m.message = &dto.MetricFamily{Metric: []*dto.Metric{m.metric}}
	for i := range f.Labels {
		m.metric.Label = append(m.metric.Label, &dto.LabelPair{Name: &f.Labels[i], Value: new(string)})
	}
	if f.Type == Counter {
		m.metric.Counter = &dto.Counter{Value: m.value}
	} else {
		m.metric.Gauge = &dto.Gauge{Value: m.value}
	}
	return m
}

// own makes the messages that follow have a target's own labels.
func (m *familyMessage) own(labels *OwnLabels) {
	m.metric.Label = append(m.metric.Label[:m.labels], labels.labelPairs()...)
}

// with returns the message of a sample, until the next call.
func (m *familyMessage) with(sample *Sample) *dto.MetricFamily {
	i := 0
	for _, value := range sample.Series.Labels() {
		*m.metric.Label[i].Value = value
		i++
	}
	*m.value = sample.Float()
	if c := m.metric.Counter; c != nil {
		c.CreatedTimestamp = nil
		if ms := sample.Series.created; ms != 0 {
			at := sample.Series.Created()
			m.created.Seconds, m.created.Nanos = at.Unix(), int32(at.Nanosecond()) //nolint:gosec // below 1e9
			c.CreatedTimestamp = m.created
		}
	}
	return m.message
}
