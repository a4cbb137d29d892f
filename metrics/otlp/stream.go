package otlp

import (
	"maps"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// kind is how a family's points are written.
type kind int

const (
	kindGauge kind = iota
	kindSum
	kindHistogram
	kindSummary
)

// attributesField is where a point of the kind has its attributes.
func (k kind) attributesField() protowire.Number {
	if k == kindHistogram {
		return fieldHistogramAttributes
	}
	return fieldPointAttributes
}

// flagsField is where a point of the kind has its flags.
func (k kind) flagsField() protowire.Number {
	if k == kindHistogram {
		return fieldHistogramFlags
	}
	return fieldNumberFlags // a summary's is the same
}

// dataField is where a Metric of the kind has its points.
func (k kind) dataField() protowire.Number {
	return [...]protowire.Number{fieldMetricGauge, fieldMetricSum, fieldMetricHistogram, fieldMetricSummary}[k]
}

// trailer follows the points in the Sum or Histogram message.
func (k kind) trailer() []byte {
	switch k {
	case kindSum:
		return []byte{fieldTemporality << 3, temporalityCumulative, fieldMonotonic << 3, 1}
	case kindHistogram:
		return []byte{fieldTemporality << 3, temporalityCumulative}
	default:
		return nil
	}
}

// stream is one series as the receiver knows it: what of its points never changes, encoded once.
type stream struct {
	series *metrics.Series // as it came last; nil for the exporter's health
	attrs  string          // the encoded attributes of a point: the stream's identity in its family
	start  uint64          // nanoseconds since 1970; 0: none
	turn   uint32          // the push it was last in
	at     int32           // its place in that push
}

// ending is a stream that is still to be ended at the receiver.
type ending struct {
	*stream
	since time.Time
}

// family is the streams of one metric family and one target.
type family struct {
	kind    kind
	head    []byte // name, description and unit of the Metric message
	streams map[string]*stream
	order   []*stream // as they came in the last push
	next    []*stream
	cursor  int
	ended   map[string]ending // by attributes
	telling bool              // the push under way tells of its endings
	whole   bool              // the health's: values are integers
	shape   []byte            // what an ending has besides: a histogram's bounds, a summary's quantiles
	turn    uint32
}

// units are UCUM's, which receivers turn into suffixes of names. What is counted goes in braces: a unit that is a remark
// only, and never the 1 that makes a gauge a _ratio.
func unit(u string) string {
	switch u {
	case "":
		return ""
	case "seconds":
		return "s"
	case "bytes":
		return "By"
	default:
		return "{" + u + "}"
	}
}

func newFamily(k kind, name, help, u string) *family {
	f := &family{kind: k, streams: map[string]*stream{}}
	f.head = appendString(nil, fieldMetricName, name)
	f.head = appendString(f.head, fieldMetricDescription, help)
	if u = unit(u); u != "" {
		f.head = appendString(f.head, fieldMetricUnit, u)
	}
	return f
}

// begin starts a push. What is not seen until end has ended.
func (f *family) begin(turn uint32) {
	f.turn, f.cursor, f.next = turn, 0, f.next[:0]
}

// see gives the streams of the samples, in their order. As long as series come as they came last, that is a walk over
// two slices; one that came or went costs a look into the map.
func (f *family) see(samples []metrics.Sample, scratch []byte) ([]*stream, []byte) {
	from := len(f.next)
	for i := range samples {
		s := samples[i].Series
		var st *stream
		if f.cursor < len(f.order) && f.order[f.cursor].series == s {
			st = f.order[f.cursor]
			f.cursor++
		} else {
			scratch = scratch[:0]
			for name, value := range s.Labels() {
				scratch = appendStringAttribute(scratch, f.kind.attributesField(), name, value)
			}
			st = f.find(scratch)
			st.series, st.start = s, nanoseconds(s.Created())
		}
		f.place(st)
	}
	return f.next[from:], scratch
}

// find gives the stream with the attributes, a new one if need be.
func (f *family) find(attrs []byte) *stream {
	if st, ok := f.streams[string(attrs)]; ok {
		if st.turn == f.turn-1 { // where it was in order, so that those behind it are found by walking again
			f.cursor = int(st.at) + 1
		}
		return st
	}
	st := f.ended[string(attrs)].stream
	if st == nil {
		st = &stream{attrs: string(attrs)}
	} else { // it is back before its end was told
		delete(f.ended, st.attrs)
	}
	f.streams[st.attrs] = st
	return st
}

func (f *family) place(st *stream) {
	st.turn, st.at = f.turn, int32(len(f.next)) //nolint:gosec // a family never has two billion series
	f.next = append(f.next, st)
}

// end notes the streams that were not seen.
func (f *family) end(now time.Time) {
	if len(f.next) < len(f.streams) {
		for attrs, st := range f.streams {
			if st.turn != f.turn {
				delete(f.streams, attrs)
				if f.ended == nil {
					f.ended = map[string]ending{}
				}
				f.ended[attrs] = ending{st, now}
			}
		}
	}
	clear(f.order)
	f.order, f.next = f.next, f.order[:0]
}

// told forgets endings that the receiver knows of, because it took a push that told of them, or that it no longer needs to
// know of.
func (f *family) told(taken bool, before time.Time) {
	taken = taken && f.telling
	maps.DeleteFunc(f.ended, func(_ string, e ending) bool { return taken || !e.since.After(before) })
	if len(f.ended) == 0 {
		f.ended = nil // with its room
	}
	f.telling = false
}

func nanoseconds(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixNano())
}
