package otlp

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"syscall"
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

// benchmarkPush is a whole push, from the commit to the last byte, by a snapshot that has the same
// series each time, as those of a running exporter nearly have.
func benchmarkPush(series int) func(b *testing.B) {
	return func(b *testing.B) {
		s := newSink(b)
		config := otlp.Config{Metrics: &otlp.Signal{Protocol: otlp.ProtocolHTTP, Target: s.url, Timeout: 10 * time.Second}, Interval: time.Microsecond}
		var p *otlp.Pusher
		registry := client.NewRegistry()
		e := metrics.NewExposition(registry, metrics.Options{Committed: func() { p.Commit() }})
		p, err := otlp.New(config, otlp.Options{Registry: registry, Published: e.Published, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		snapshot := largeSnapshot(series, 7)
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
		requests := (series + 3 + otlp.DefaultBatchSize - 1) / otlp.DefaultBatchSize // 3 of the pusher's own health
		push := func() {
			e.Publish("shop", &metrics.Snapshot{Blocks: snapshot.Blocks})
			for range requests {
				<-s.came
			}
		}
		push()
		before := s.bytes.Load()
		used := cpu()
		b.ReportAllocs()
		b.ResetTimer()
		for range b.N {
			push()
		}
		b.StopTimer()
		b.ReportMetric(float64((cpu()-used).Microseconds())/1000/float64(b.N), "cpu-ms/push")
		b.ReportMetric(float64(s.bytes.Load()-before)/float64(b.N), "bytes/push")
		b.ReportMetric(float64(requests), "requests/push")
	}
}

// cpu is the time that this process has spent: the receiver's share is the reading of the bytes.
func cpu() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
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
	used := cpu()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		push()
	}
	b.StopTimer()
	b.ReportMetric(float64((cpu()-used).Microseconds())/1000/float64(b.N), "cpu-ms/push")
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
	b.Run("abs-exporter/100000", benchmarkPush(benchSeries))
	b.Run("abs-exporter/8000", benchmarkPush(8000))
	b.Run("bridge/100000", benchmarkBridge)
}
