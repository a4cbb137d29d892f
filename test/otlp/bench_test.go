package otlp

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	client "github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	bridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/abs-exporter/abs-exporter/metrics"
	"github.com/abs-exporter/abs-exporter/metrics/otlp"
)

const benchSeries = 100_000

// sink takes whatever comes.
type sink struct {
	url      string
	requests atomic.Int64
	bytes    atomic.Int64
	came     chan struct{}
}

func newSink(tb testing.TB) *sink {
	s := &sink{came: make(chan struct{}, 1000)}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		s.bytes.Add(n)
		s.requests.Add(1)
		s.came <- struct{}{}
	}))
	tb.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// benchmarkPush is a whole push of 100,000 series, from the commit to the last byte.
func benchmarkPush(b *testing.B) {
	s := newSink(b)
	config, err := otlp.Configure(otlp.Settings{Endpoint: s.url, NoLogs: true, Interval: 4 * time.Minute}, func(string) (string, bool) { return "", false })
	if err != nil {
		b.Fatal(err)
	}
	p, err := otlp.New(config, otlp.Options{Registry: client.NewRegistry(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	publisher, snapshot := p.Tee(nobody{}), largeSnapshot(benchSeries, 7)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = p.Run(ctx)
	}()
	defer func() {
		cancel()
		<-ended
	}()
	<-s.came // of the registry alone, at the start
	perPush := 1
	push := func() {
		publisher.Publish("shop", &metrics.Snapshot{Blocks: snapshot.Blocks})
		for range perPush {
			<-s.came
		}
	}
	push()
	for quiet := false; !quiet; {
		select {
		case <-s.came:
			perPush++
		case <-time.After(time.Second):
			quiet = true
		}
	}
	before := s.bytes.Load()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		push()
	}
	b.StopTimer()
	b.ReportMetric(float64(s.bytes.Load()-before)/float64(b.N), "bytes/push")
	b.ReportMetric(float64(perPush), "requests/push")
}

// benchmarkBridge is the same by contrib's bridge and the SDK's exporter. What it gathers is
// ready-made, so that only the bridge and the exporter are measured.
func benchmarkBridge(b *testing.B) {
	s := newSink(b)
	exporter, err := otlpmetrichttp.New(context.Background(), otlpmetrichttp.WithEndpointURL(s.url))
	if err != nil {
		b.Fatal(err)
	}
	families := []*dto.MetricFamily{gathered(largeSnapshot(benchSeries, 7))}
	producer := bridge.NewMetricProducer(bridge.WithGatherer(client.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })))
	reader := sdk.NewManualReader(sdk.WithProducer(producer))
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))
	defer func() { _ = provider.Shutdown(context.Background()) }()
	push := func() {
		var rm metricdata.ResourceMetrics
		if err := reader.Collect(context.Background(), &rm); err != nil {
			b.Fatal(err)
		}
		if err := exporter.Export(context.Background(), &rm); err != nil {
			b.Fatal(err)
		}
		<-s.came
	}
	push()
	before := s.bytes.Load()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		push()
	}
	b.StopTimer()
	b.ReportMetric(float64(s.bytes.Load()-before)/float64(b.N), "bytes/push")
}

// gathered is a snapshot of one family as client_golang would gather it.
func gathered(s *metrics.Snapshot) *dto.MetricFamily {
	block := s.Blocks[0]
	f := &dto.MetricFamily{Name: proto.String(block.Family.Name), Help: proto.String(block.Family.Help), Type: dto.MetricType_COUNTER.Enum()}
	for _, sample := range block.Samples {
		m := &dto.Metric{Counter: &dto.Counter{
			Value: proto.Float64(float64(sample.Value)), CreatedTimestamp: timestamppb.New(sample.Series.Created()),
		}}
		for name, value := range sample.Series.Labels() {
			m.Label = append(m.Label, &dto.LabelPair{Name: proto.String(name), Value: proto.String(value)})
		}
		f.Metric = append(f.Metric, m)
	}
	return f
}

func BenchmarkPush(b *testing.B) {
	b.Run("abs-exporter", benchmarkPush)
	b.Run("bridge", benchmarkBridge)
}

// What the hand-written encoding is there for: without it the bridge would do.
func TestPushIsFasterThanTheBridge(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	own, other := testing.Benchmark(benchmarkPush), testing.Benchmark(benchmarkBridge)
	t.Logf("abs-exporter: %s %s\nbridge: %s %s", own, own.MemString(), other, other.MemString())
	if own.N == 0 || other.N == 0 {
		t.Fatal("a benchmark failed")
	}
	if faster := float64(other.NsPerOp()) / float64(own.NsPerOp()); faster < 4 {
		t.Errorf("%.1f times faster than the bridge, want 4", faster)
	}
	if fewer := float64(other.AllocsPerOp()) / float64(max(1, own.AllocsPerOp())); fewer < 2.5 {
		t.Errorf("%.1f times fewer allocations than the bridge, want 2.5", fewer)
	}
}
