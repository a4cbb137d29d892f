package metrics

import (
	"io"
	"math"
	"strconv"
	"strings"
	"sync"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/encoding/protowire"
)

// format is one of the three exposition formats. The two versions of OpenMetrics that are offered differ in the content
// type only.
type format int

const (
	formatText format = iota
	formatOpenMetrics
	formatProtobuf
	formatCount
)

// standard is the format under which expfmt writes the exporter's own health behind the snapshots.
func (f format) standard() expfmt.Format {
	switch f {
	case formatOpenMetrics:
		return expfmt.FmtOpenMetrics_1_0_0
	case formatProtobuf:
		return expfmt.FmtProtoDelim
	default:
		return expfmt.FmtText
	}
}

// group is all that is published of one family: the blocks of all targets, under one header.
type group struct {
	family *Family
	blocks [][]Sample
}

// estimate is about how long the text of all groups is. It need not be exact: it decides what is kept how.
func estimate(groups []group) int64 {
	const number = 10 // a value, its blank and its line break
	var n int64
	for i := range groups {
		g := &groups[i]
		n += int64(len(g.family.Help) + 3*len(g.family.Name) + 24)
		for _, block := range g.blocks {
			for j := range block {
				n += int64(len(g.family.Name) + len(block[j].Series.text) + number)
			}
		}
	}
	return n
}

// page collects what is appended and hands it to w in pieces, so that rendering needs no more memory than a piece and
// what w keeps. Its writers are in memory and cannot fail.
type page struct {
	w   io.Writer
	buf []byte
}

const (
	pageSize  = 32 << 10
	pageLarge = 1 << 20 // a buffer that one huge value made larger than this is not kept
)

// pages keeps buffers between renderings.
type pages struct{ pool sync.Pool }

func (p *pages) get(w io.Writer) *page {
	if pg, ok := p.pool.Get().(*page); ok {
		pg.w = w
		return pg
	}
	return &page{w: w, buf: make([]byte, 0, pageSize+4096)}
}

func (p *pages) put(pg *page) {
	pg.flush()
	pg.w = nil
	if cap(pg.buf) <= pageLarge {
		p.pool.Put(pg)
	}
}

// spill hands over what was collected once it is enough to be worth it.
func (p *page) spill() {
	if len(p.buf) >= pageSize {
		p.flush()
	}
}

func (p *page) flush() {
	_, _ = p.w.Write(p.buf) // in memory: cannot fail
	p.buf = p.buf[:0]
}

// encode renders the groups in the format f, without what ends the exposition.
func encode(pg *page, f format, created bool, groups []group) {
	for i := range groups {
		g := &groups[i]
		switch f {
		case formatText:
			encodeText(pg, g)
		case formatOpenMetrics:
			encodeOpenMetrics(pg, g, created)
		case formatProtobuf:
			encodeProtobuf(pg, g)
		}
	}
}

// helpEscaper escapes HELP in the text format; OpenMetrics escapes quotes too.
var helpEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`)

// encodeText writes a group in the text format 0.0.4. Values are written as whole numbers (1234567, where the standard
// encoder has 1.234567e+06), because people read them too; every parser takes both for the same.
func encodeText(pg *page, g *group) {
	f := g.family
	pg.buf = appendComment(pg.buf, "# HELP ", f.Name, helpEscaper.Replace(f.Help))
	pg.buf = appendComment(pg.buf, "# TYPE ", f.Name, string(f.Type))
	for _, block := range g.blocks {
		for i := range block {
			pg.buf = appendLine(pg.buf, f.Name, &block[i])
			pg.spill()
		}
	}
}

// encodeOpenMetrics writes a group in OpenMetrics 1.0.0, which 0.0.1 equals as far as it is used here.
func encodeOpenMetrics(pg *page, g *group, created bool) {
	f := g.family
	name := f.openMetricsName()
	pg.buf = appendComment(pg.buf, "# HELP ", name, textEscaper.Replace(f.Help))
	pg.buf = appendComment(pg.buf, "# TYPE ", name, string(f.Type))
	if unit := f.exposedUnit(); unit != "" {
		pg.buf = appendComment(pg.buf, "# UNIT ", name, unit)
	}
	created = created && f.Type == Counter
	for _, block := range g.blocks {
		for i := range block {
			pg.buf = appendLine(pg.buf, f.Name, &block[i])
			if s := block[i].Series; created && s.created != 0 {
				pg.buf = append(pg.buf, name...)
				pg.buf = append(pg.buf, "_created"...)
				pg.buf = append(pg.buf, s.text...)
				pg.buf = append(pg.buf, ' ')
				pg.buf = appendSeconds(pg.buf, s.created)
				pg.buf = append(pg.buf, '\n')
			}
			pg.spill()
		}
	}
}

func appendComment(b []byte, keyword, name, rest string) []byte {
	b = append(b, keyword...)
	b = append(b, name...)
	b = append(b, ' ')
	b = append(b, rest...)
	return append(b, '\n')
}

func appendLine(b []byte, name string, s *Sample) []byte {
	b = append(b, name...)
	b = append(b, s.Series.text...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, s.Value, 10)
	return append(b, '\n')
}

// appendSeconds writes milliseconds since 1970 as seconds, exactly.
func appendSeconds(b []byte, ms int64) []byte {
	if ms < 0 {
		b = append(b, '-')
		ms = -ms
	}
	b = strconv.AppendInt(b, ms/1000, 10)
	if ms %= 1000; ms != 0 {
		b = append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
	}
	return b
}

// Field numbers of io.prometheus.client's metrics.proto, which is frozen.
const (
	familyName, familyHelp, familyType, familyMetric, familyUnit = 1, 2, 3, 4, 5
	metricLabel, metricGauge, metricCounter                      = 1, 2, 3
	labelName, labelValue                                        = 1, 2
	gaugeValue                                                   = 1
	counterValue, counterCreated                                 = 1, 3
	timestampSeconds, timestampNanos                             = 1, 2
)

// sizes in protobuf of what has the same one in every metric: tags below 16 take one byte.
const (
	tagSize    = 1
	doubleSize = tagSize + 8
)

// encodeProtobuf writes a group as one delimited MetricFamily. It is written by hand because the length stands first:
// two passes over the samples need no memory, where a family of a million metrics as objects needs gigabytes.
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
	for _, block := range g.blocks {
		for i := range block {
			size += tagSize + protowire.SizeBytes(metricSize(block[i].Series))
		}
	}

	b := protowire.AppendVarint(pg.buf, uint64(size))
	b = appendString(b, familyName, f.Name)
	b = appendString(b, familyHelp, f.Help)
	b = protowire.AppendTag(b, familyType, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(kind))
	for _, block := range g.blocks {
		for i := range block {
			b = protowire.AppendTag(b, familyMetric, protowire.BytesType)
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

func appendString(b []byte, field protowire.Number, s string) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendString(b, s)
}

// metricSize is the length of a Metric message without its tag and length.
func metricSize(s *Series) int {
	size := tagSize + protowire.SizeBytes(valueSize(s))
	for name, value := range s.Labels() {
		size += tagSize + protowire.SizeBytes(stringSize(name)+stringSize(value))
	}
	return size
}

// valueSize is the length of the Counter or Gauge message.
func valueSize(s *Series) int {
	if s.family.Type != Counter || s.created == 0 {
		return doubleSize
	}
	return doubleSize + tagSize + protowire.SizeBytes(timestampSize(s.created))
}

// split gives a Timestamp's two fields; nanos is never negative.
func split(ms int64) (seconds, nanos uint64) {
	s, rest := ms/1000, ms%1000
	if rest < 0 {
		s, rest = s-1, rest+1000
	}
	return uint64(s), uint64(rest) * 1e6 // protobuf writes a negative int64 as its two's complement
}

func timestampSize(ms int64) int {
	seconds, nanos := split(ms)
	size := 0
	if seconds != 0 {
		size += tagSize + protowire.SizeVarint(seconds)
	}
	if nanos != 0 {
		size += tagSize + protowire.SizeVarint(nanos)
	}
	return size
}

func appendMetric(b []byte, sample *Sample) []byte {
	s := sample.Series
	b = protowire.AppendVarint(b, uint64(metricSize(s)))
	for name, value := range s.Labels() {
		b = protowire.AppendTag(b, metricLabel, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(stringSize(name)+stringSize(value)))
		b = appendString(b, labelName, name)
		b = appendString(b, labelValue, value)
	}
	field, value := protowire.Number(metricGauge), protowire.Number(gaugeValue)
	if s.family.Type == Counter {
		field, value = metricCounter, counterValue
	}
	b = protowire.AppendTag(b, field, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(valueSize(s)))
	b = protowire.AppendTag(b, value, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, math.Float64bits(float64(sample.Value)))
	if s.family.Type == Counter && s.created != 0 {
		b = protowire.AppendTag(b, counterCreated, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(timestampSize(s.created)))
		seconds, nanos := split(s.created)
		if seconds != 0 {
			b = protowire.AppendTag(b, timestampSeconds, protowire.VarintType)
			b = protowire.AppendVarint(b, seconds)
		}
		if nanos != 0 {
			b = protowire.AppendTag(b, timestampNanos, protowire.VarintType)
			b = protowire.AppendVarint(b, nanos)
		}
	}
	return b
}
