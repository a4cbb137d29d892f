package otlp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	logs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	points "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logdata "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// receiver is an OTLP receiver over HTTP in memory, so that its time may be that of a bubble.
type receiver struct {
	conns chan net.Conn
	done  chan struct{}

	mu       sync.Mutex
	answer   func(w http.ResponseWriter, r *http.Request) // nil: takes everything
	requests []request
}

// request is one that came, whatever was answered.
type request struct {
	at      time.Time
	headers http.Header
	taken   bool
	series  map[string]point // of metrics, by name and attributes
	records []*logdata.LogRecord
}

type point struct {
	value       int64
	start, time uint64
	unit        string
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: r, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(r) }()
	t.Cleanup(func() { _ = server.Close() })
	return r
}

// Accept, Close and Addr implement net.Listener.
func (r *receiver) Accept() (net.Conn, error) {
	select {
	case c := <-r.conns:
		return c, nil
	case <-r.done:
		return nil, net.ErrClosed
	}
}

func (r *receiver) Close() error {
	close(r.done)
	return nil
}

func (r *receiver) Addr() net.Addr { return &net.TCPAddr{} }

func (r *receiver) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case r.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.done:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: net.ErrClosed}
	}
}

func (r *receiver) set(answer func(http.ResponseWriter, *http.Request)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func respond(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	one := request{at: time.Now(), headers: req.Header, series: map[string]point{}}
	if strings.HasSuffix(req.URL.Path, "/metrics") {
		var in points.ExportMetricsServiceRequest
		if err := proto.Unmarshal(body, &in); err != nil {
			panic(err)
		}
		for _, m := range in.GetResourceMetrics()[0].GetScopeMetrics()[0].GetMetrics() {
			for _, p := range append(m.GetSum().GetDataPoints(), m.GetGauge().GetDataPoints()...) {
				key := m.GetName() + fmt.Sprint(texts(p.GetAttributes()))
				if _, twice := one.series[key]; twice {
					panic(key + " is there twice")
				}
				one.series[key] = point{p.GetAsInt(), p.GetStartTimeUnixNano(), p.GetTimeUnixNano(), m.GetUnit()}
			}
		}
	} else {
		var in logs.ExportLogsServiceRequest
		if err := proto.Unmarshal(body, &in); err != nil {
			panic(err)
		}
		one.records = in.GetResourceLogs()[0].GetScopeLogs()[0].GetLogRecords()
	}
	r.mu.Lock()
	answer := r.answer
	one.taken = answer == nil
	r.requests = append(r.requests, one)
	r.mu.Unlock()
	if answer != nil {
		answer(w, req)
	}
}

func texts(attributes []*common.KeyValue) map[string]string {
	all := map[string]string{}
	for _, a := range attributes {
		if _, twice := all[a.GetKey()]; twice {
			panic("an attribute is there twice: " + a.GetKey())
		}
		all[a.GetKey()] = a.GetValue().GetStringValue()
		if list := a.GetValue().GetArrayValue(); list != nil {
			var values []string
			for _, v := range list.GetValues() {
				values = append(values, v.GetStringValue())
			}
			all[a.GetKey()] = fmt.Sprint(values)
		}
	}
	return all
}

// take returns the requests so far, and forgets them.
func (r *receiver) take() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.requests
	r.requests = nil
	return all
}

// countRecords counts the log records of all requests.
func countRecords(requests []request) (n int) {
	for _, r := range requests {
		n += len(r.records)
	}
	return n
}

// snapshotSeries are the series of the requests that are not the pusher's own health.
func snapshotSeries(requests ...request) map[string]point {
	all := map[string]point{}
	for _, r := range requests {
		maps.Copy(all, r.series)
	}
	maps.DeleteFunc(all, func(key string, _ point) bool { return strings.HasPrefix(key, "abs_exporter_otlp_") })
	return all
}

// rig is a pusher and its receiver.
type rig struct {
	*Pusher
	*metrics.Exposition
	*receiver
	registry *prometheus.Registry
	log      *book
}

// book is a log.
type book struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// newRig makes a pusher of the signals that the configuration has, all of which go to the receiver.
func newRig(t *testing.T, c Config) *rig {
	t.Helper()
	r := &rig{receiver: newReceiver(t), registry: prometheus.NewRegistry(), log: &book{}}
	c.Interval = time.Minute
	for path, s := range map[string]*Signal{"metrics": c.Metrics, "logs": c.Logs} {
		if s != nil {
			s.Protocol, s.Target = ProtocolHTTP, "http://receiver.example/v1/"+path
			if s.Timeout == 0 {
				s.Timeout = 10 * time.Second
			}
		}
	}
	r.Exposition = metrics.NewExposition(r.registry, metrics.Options{Committed: func() { r.Commit() }})
	var err error
	r.Pusher, err = New(c, Options{
		Version: "1.2.3", Instance: "here", Registry: r.registry, Published: r.Published, Now: time.Now, Log: slog.New(slog.NewTextHandler(r.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Pusher.Close)
	for _, l := range r.links {
		l.transport.DialContext = r.dial
	}
	return r
}

// run starts it, and returns how to end it.
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

// eachSignal calls check for metrics and for logs.
func (r *rig) eachSignal(check func(signal string)) {
	check(metrics.SignalMetrics)
	check(metrics.SignalLogs)
}

// count is a counter or gauge of the pusher's health.
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
				n = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return n
}

var created = time.UnixMilli(1_790_000_000_123)

func counter(target, token string, value int64) metrics.Sample {
	return metrics.Sample{Series: metrics.NewSeries(metrics.TokenRequests, created, target, token), Value: value}
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

func event(n int) metrics.Event {
	return metrics.Event{
		At: created, Target: "shop", Began: true, Token: fmt.Sprintf("%016x", n),
		Type: "Data Exfiltration Attack Type 1", Severity: "critical", APIs: []string{"shop", "payments"},
	}
}

func refuse(context.Context, string, string) (net.Conn, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
}
