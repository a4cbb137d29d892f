package otlp

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// field is one field of a message.
type field struct {
	number protowire.Number
	bytes  []byte
	value  uint64
}

func fields(t testing.TB, b []byte) (all []field) {
	t.Helper()
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatalf("no message: % x", b)
		}
		b = b[n:]
		f := field{number: number}
		switch kind {
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			f.value, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			f.value, n = protowire.ConsumeFixed64(b)
		default:
			t.Fatalf("field %d has wire type %d", number, kind)
		}
		if n < 0 {
			t.Fatalf("field %d ends early", number)
		}
		b = b[n:]
		all = append(all, f)
	}
	return all
}

func first(t testing.TB, b []byte, number protowire.Number) field {
	t.Helper()
	for _, f := range fields(t, b) {
		if f.number == number {
			return f
		}
	}
	return field{}
}

func attributes(t testing.TB, b []byte, number protowire.Number) map[string]string {
	t.Helper()
	m := map[string]string{}
	for _, f := range fields(t, b) {
		if f.number == number {
			m[string(first(t, f.bytes, fieldKey).bytes)] = anyText(t, first(t, f.bytes, fieldValue).bytes)
		}
	}
	return m
}

func anyText(t testing.TB, b []byte) string {
	t.Helper()
	for _, f := range fields(t, b) {
		switch f.number {
		case fieldStringValue:
			return string(f.bytes)
		case fieldBoolValue:
			return fmt.Sprint(f.value == 1)
		case fieldIntValue:
			return fmt.Sprint(int64(f.value))
		case fieldDoubleValue:
			return fmt.Sprint(math.Float64frombits(f.value))
		case fieldArrayValue:
			var all []string
			for _, v := range fields(t, f.bytes) {
				all = append(all, anyText(t, v.bytes))
			}
			return fmt.Sprint(all)
		}
	}
	return ""
}

// items are the metrics or log records of a request.
func items(t testing.TB, request []byte) (all [][]byte) {
	t.Helper()
	scopes := first(t, first(t, request, fieldRequestResource).bytes, fieldScopes).bytes
	for _, f := range fields(t, scopes) {
		if f.number == fieldItems {
			all = append(all, f.bytes)
		}
	}
	return all
}

// told is a point as a receiver reads it.
type told struct {
	value       int64
	start, time uint64
	ended       bool
	unit        string
}

// points are those of the gauges and sums of a request, by series.
func points(t testing.TB, request []byte) map[string]told {
	t.Helper()
	all := map[string]told{}
	for _, m := range items(t, request) {
		name, unit := string(first(t, m, fieldMetricName).bytes), string(first(t, m, fieldMetricUnit).bytes)
		data := first(t, m, fieldMetricGauge).bytes
		if data == nil {
			data = first(t, m, fieldMetricSum).bytes
			if first(t, data, fieldTemporality).value != temporalityCumulative || first(t, data, fieldMonotonic).value != 1 {
				t.Errorf("%s is no monotonic cumulative sum", name)
			}
		}
		n, ended := 0, false
		for _, f := range fields(t, data) {
			if f.number != fieldDataPoints {
				continue
			}
			p := told{
				value: int64(first(t, f.bytes, fieldAsInt).value),
				start: first(t, f.bytes, fieldStart).value, time: first(t, f.bytes, fieldTime).value,
				ended: first(t, f.bytes, fieldNumberFlags).value == flagNoRecordedValue, unit: unit,
			}
			key := name + fmt.Sprint(attributes(t, f.bytes, fieldPointAttributes))
			if _, twice := all[key]; twice {
				t.Errorf("%s is there twice", key)
			}
			all[key] = p
			n++
			ended = ended || p.ended
		}
		if ended && n != 1 {
			t.Errorf("%s: an ended series shares its metric with %d others", name, n-1)
		}
	}
	return all
}

// fake is a sender that keeps what it is given and answers as it is told.
type fake struct {
	mu       sync.Mutex
	answer   func(request int, b []byte) (reply, error)
	requests [][]byte
	at       []time.Time
	closed   bool
}

func (f *fake) send(ctx context.Context, b *buffer) (reply, error) {
	f.mu.Lock()
	n := len(f.requests)
	request := bytes.Clone(b.request())
	b.release()
	for i := range b.data { // whoever still reads it sees it
		b.data[i] = 0xff
	}
	f.requests, f.at = append(f.requests, request), append(f.at, time.Now())
	answer := f.answer
	f.mu.Unlock()
	if ctx.Err() != nil {
		return reply{}, ctx.Err()
	}
	if answer == nil {
		return reply{}, nil
	}
	return answer(n, request)
}

func (f *fake) close() { f.closed = true }

func (f *fake) set(answer func(int, []byte) (reply, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// take gives the requests so far, and forgets them.
func (f *fake) take() (requests [][]byte, at []time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	requests, at = f.requests, f.at
	f.requests, f.at = nil, nil
	return requests, at
}

type rig struct {
	*Pusher
	metrics, logs *fake
	registry      *prometheus.Registry
	log           *bytes.Buffer
}

// newRig is a pusher whose receivers are fakes. Its registry has nothing but its own health.
func newRig(t *testing.T, s Settings) *rig {
	t.Helper()
	s.Endpoint = "http://127.0.0.1:1"
	config, err := Configure(s, noEnv)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{metrics: &fake{}, logs: &fake{}, registry: prometheus.NewRegistry(), log: &bytes.Buffer{}}
	r.Pusher, err = New(config, Options{
		Identity: Identity{Version: "1.2.3", Instance: "here"}, Registry: r.registry, Log: slog.New(slog.NewTextHandler(r.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if config.Metrics != nil {
		r.Pusher.metrics = r.metrics
	}
	if config.Logs != nil {
		r.Pusher.logs = r.logs
	}
	return r
}

func noEnv(string) (string, bool) { return "", false }

// run starts it, and gives how to end it.
func (r *rig) run(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = r.Run(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}

// count is a counter of the pusher's health.
func (r *rig) count(t *testing.T, f *metrics.Family, values ...string) (n float64) {
	t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var got []string
			for _, name := range f.Labels {
				for _, l := range m.GetLabel() {
					if l.GetName() == name {
						got = append(got, l.GetValue())
					}
				}
			}
			if family.GetName() == f.Name && slices.Equal(got, values) {
				n = m.GetCounter().GetValue()
			}
		}
	}
	return n
}

var born = time.UnixMilli(1_790_000_000_123)

func counter(target, token string, value int64) metrics.Sample {
	return metrics.Sample{Series: metrics.NewSeries(metrics.TokenRequests, born, target, token), Value: value}
}

func snapshot(samples ...metrics.Sample) *metrics.Snapshot {
	s := &metrics.Snapshot{}
	for _, sample := range samples {
		n := len(s.Blocks)
		if n == 0 || s.Blocks[n-1].Family != sample.Series.Family() {
			s.Blocks = append(s.Blocks, metrics.Block{Family: sample.Series.Family()})
			n++
		}
		s.Blocks[n-1].Samples = append(s.Blocks[n-1].Samples, sample)
	}
	return s
}

// merged are the points of several requests.
func merged(t testing.TB, requests [][]byte) map[string]told {
	t.Helper()
	all := map[string]told{}
	for _, r := range requests {
		maps.Copy(all, points(t, r))
	}
	maps.DeleteFunc(all, func(key string, _ told) bool { return strings.HasPrefix(key, "abs_exporter_otlp_") })
	return all
}

func doubles(b []byte) (all []float64) {
	for ; len(b) >= 8; b = b[8:] {
		all = append(all, math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}
	return all
}
