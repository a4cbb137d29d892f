package otlp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	logs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	pushed "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	log "go.opentelemetry.io/proto/otlp/logs/v1"
	metric "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/abs-exporter/abs-exporter/metrics"
	"github.com/abs-exporter/abs-exporter/metrics/otlp"
)

// mood is how a receiver answers.
type mood int

const (
	well      mood = iota
	busy           // 429, come back later
	down           // 503
	hanging        // no answer
	partly         // every other metric is refused
	refusing       // 400: for good
	exhausted      // 403, or a gRPC quota without a word of when to come back
	tooLong        // 413, or OUT_OF_RANGE, as some receivers say of a large message
)

// receiver is a model of a receiver: it decodes with the protocol's own Go types, and
// has the last value of each series.
type receiver struct {
	pushed.UnimplementedMetricsServiceServer

	mu       sync.Mutex
	mood     mood
	requests int
	largest  int // bytes of a request
	series   map[string]stamped
	times    map[uint64]int // points of each time
	records  []*log.LogRecord
	resource map[string]string
	headers  map[string][]string // of the last request; names in lower case
}

type point struct {
	value int64
	start uint64
}

// stamped is a point and its time.
type stamped struct {
	point
	at uint64
}

func newReceiver() *receiver {
	return &receiver{series: map[string]stamped{}, times: map[uint64]int{}}
}

func (r *receiver) set(m mood) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mood = m
}

func (r *receiver) asked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

// tokens counts the distinct tokens of the events that it has.
func (r *receiver) tokens() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]bool{}
	for _, record := range r.records {
		all[texts(record.GetAttributes())["token"]] = true
	}
	return len(all)
}

// serveHTTP returns the base URL of the receiver over HTTP.
func (r *receiver) serveHTTP(t testing.TB) string {
	server := httptest.NewServer(r.handler())
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// handler is the receiver over HTTP.
func (r *receiver) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/metrics", func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		var in pushed.ExportMetricsServiceRequest
		if err != nil || proto.Unmarshal(body, &in) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		out, err := r.Export(metadata.NewIncomingContext(req.Context(), lower(req.Header)), &in)
		answer(w, out, err)
	})
	mux.HandleFunc("/v1/logs", func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		var in logs.ExportLogsServiceRequest
		if err != nil || proto.Unmarshal(body, &in) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		out, err := logReceiver{receiver: r}.Export(metadata.NewIncomingContext(req.Context(), lower(req.Header)), &in)
		answer(w, out, err)
	})
	return mux
}

func lower(h http.Header) metadata.MD {
	md := metadata.MD{}
	for name, values := range h {
		md.Append(name, values...)
	}
	return md
}

func answer(w http.ResponseWriter, out proto.Message, err error) {
	s, _ := status.FromError(err)
	switch s.Code() {
	case codes.OK:
		w.Header().Set("Content-Type", "application/x-protobuf")
		body, _ := proto.Marshal(out)
		_, _ = w.Write(body)
	case codes.ResourceExhausted:
		if len(s.Details()) == 0 {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, s.Message())
			return
		}
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, s.Message())
	case codes.InvalidArgument:
		w.Header().Set("Content-Type", "application/x-protobuf")
		w.WriteHeader(http.StatusBadRequest)
		body, _ := proto.Marshal(s.Proto())
		_, _ = w.Write(body)
	case codes.OutOfRange:
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		_, _ = io.WriteString(w, s.Message())
	default:
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, s.Message())
	}
}

// serve returns the base URL of the receiver over either protocol.
func (r *receiver) serve(t testing.TB, protocol string) string {
	if protocol == otlp.ProtocolGRPC {
		return r.serveGRPC(t)
	}
	return r.serveHTTP(t)
}

// serveGRPC returns the endpoint of the receiver over gRPC, with gRPC's own limit of 4 MiB.
func (r *receiver) serveGRPC(t testing.TB) string {
	return "http://" + r.listenGRPC(t, "tcp", "127.0.0.1:0").String()
}

func (r *receiver) listenGRPC(t testing.TB, network, address string) net.Addr {
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pushed.RegisterMetricsServiceServer(server, r)
	logs.RegisterLogsServiceServer(server, logReceiver{receiver: r})
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	return l.Addr()
}

// answer is what the mood says, before anything is taken.
func (r *receiver) answer(ctx context.Context) (mood, error) {
	r.mu.Lock()
	m := r.mood
	r.requests++
	r.mu.Unlock()
	in, _ := metadata.FromIncomingContext(ctx)
	echo := fmt.Sprint(in) // as a careless receiver would
	switch m {
	case busy:
		s, err := status.New(codes.ResourceExhausted, "slow down: "+echo).WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)})
		return m, errors.Join(s.Err(), err)
	case down:
		return m, status.Error(codes.Unavailable, "not now: "+echo)
	case refusing:
		return m, status.Error(codes.InvalidArgument, "never: "+echo)
	case exhausted:
		return m, status.Error(codes.ResourceExhausted, "quota: "+echo)
	case tooLong:
		return m, status.Error(codes.OutOfRange, "too long: "+echo)
	case hanging:
		<-ctx.Done()
		return m, status.FromContextError(ctx.Err()).Err()
	}
	return m, nil
}

// Export implements the service of metrics.
func (r *receiver) Export(ctx context.Context, in *pushed.ExportMetricsServiceRequest) (*pushed.ExportMetricsServiceResponse, error) {
	m, err := r.answer(ctx)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.headers, _ = metadata.FromIncomingContext(ctx)
	r.largest = max(r.largest, proto.Size(in))
	var rejected int64
	for _, rm := range in.GetResourceMetrics() {
		r.resource = texts(rm.GetResource().GetAttributes())
		for _, sm := range rm.GetScopeMetrics() {
			for i, one := range sm.GetMetrics() {
				refuse := m == partly && i%2 == 1
				rejected += r.take(one, refuse)
			}
		}
	}
	if rejected > 0 {
		return &pushed.ExportMetricsServiceResponse{PartialSuccess: &pushed.ExportMetricsPartialSuccess{
			RejectedDataPoints: rejected, ErrorMessage: "every other one: " + fmt.Sprint(r.headers),
		}}, nil
	}
	return &pushed.ExportMetricsServiceResponse{}, nil
}

func (r *receiver) take(m *metric.Metric, refuse bool) (rejected int64) {
	points := m.GetGauge().GetDataPoints()
	if sum := m.GetSum(); sum != nil {
		if !sum.GetIsMonotonic() || sum.GetAggregationTemporality() != metric.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE {
			panic("a sum that only deltas or gauges make")
		}
		points = sum.GetDataPoints()
	}
	for _, p := range points {
		if refuse {
			rejected++
			continue
		}
		key := m.GetName() + fmt.Sprint(texts(p.GetAttributes()))
		r.times[p.GetTimeUnixNano()]++
		if r.times[p.GetTimeUnixNano()] > 0 && r.series[key].at == p.GetTimeUnixNano() && r.series[key].value != p.GetAsInt() {
			panic("two values of a series at one time: " + key)
		}
		r.series[key] = stamped{point{p.GetAsInt(), p.GetStartTimeUnixNano()}, p.GetTimeUnixNano()}
	}
	return rejected
}

// logReceiver is the receiver's other service.
type logReceiver struct {
	logs.UnimplementedLogsServiceServer
	*receiver
}

// Export implements the service of logs.
func (r logReceiver) Export(ctx context.Context, in *logs.ExportLogsServiceRequest) (*logs.ExportLogsServiceResponse, error) {
	if _, err := r.answer(ctx); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rl := range in.GetResourceLogs() {
		for _, sl := range rl.GetScopeLogs() {
			r.records = append(r.records, sl.GetLogRecords()...)
		}
	}
	return &logs.ExportLogsServiceResponse{}, nil
}

func texts(attributes []*common.KeyValue) map[string]string {
	m := map[string]string{}
	for _, a := range attributes {
		if _, twice := m[a.GetKey()]; twice {
			panic("an attribute is there twice: " + a.GetKey())
		}
		m[a.GetKey()] = a.GetValue().GetStringValue()
	}
	return m
}

// differs says what the receiver has that the snapshot has not, or the other way.
func (r *receiver) differs(s *metrics.Snapshot) string {
	r.mu.Lock()
	got, newest := map[string]point{}, uint64(0)
	for key, p := range r.series {
		if !strings.Contains(key, "target:shop") { // the snapshot's, and not the health's
			continue
		}
		if p.at > newest { // what an earlier push had and this one has not has ended
			newest = p.at
			clear(got)
		}
		if p.at == newest {
			got[key] = p.point
		}
	}
	r.mu.Unlock()
	for i := range s.Blocks {
		for _, sample := range s.Blocks[i].Samples {
			key := s.Blocks[i].Family.Name + fmt.Sprint(maps.Collect(sample.Series.Labels()))
			want := point{value: sample.Value}
			if c := sample.Series.Created(); !c.IsZero() {
				want.start = uint64(c.UnixNano())
			}
			if g, ok := got[key]; !ok || g != want {
				return fmt.Sprintf("%s is %+v, want %+v", key, g, want)
			}
			delete(got, key)
		}
	}
	if len(got) > 0 {
		return "there are also " + strings.Join(slices.Sorted(maps.Keys(got)), ", ")
	}
	return ""
}
