package otlp

import (
	"context"
	"net/http"
	"reflect"
	"sync"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // registers the compressor that UseCompressor names
)

const (
	// idle is how long a connection stays open without a request. It is less than the wait before a
	// retry: each retry has a new connection, so that no request waits twice for a receiver that
	// vanished.
	idle         = 250 * time.Millisecond
	maxRetry     = 30 * time.Second
	metricsRetry = time.Minute    // the next push has all of it, and what is new
	logsRetry    = 24 * time.Hour // nothing else has the records
	queueSize    = 2048           // log records that wait while the receiver is away, besides those under way
)

// client makes the client of an HTTP link.
func (s *Signal) client(l *link) *http.Client {
	l.transport = &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: s.TLS, ForceAttemptHTTP2: true, IdleConnTimeout: idle,
	}
	l.close = l.transport.CloseIdleConnections
	return &http.Client{Transport: l}
}

// connection makes the connection of a gRPC link. It connects when it is first used.
func (s *Signal) connection(l *link) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	if s.TLS != nil {
		transport = credentials.NewTLS(s.TLS)
	}
	var calls []grpc.CallOption
	if s.Compression == Gzip {
		calls = append(calls, grpc.UseCompressor("gzip"))
	}
	conn, err := grpc.NewClient(s.Target,
		grpc.WithTransportCredentials(transport), grpc.WithDisableServiceConfig(),
		grpc.WithUnaryInterceptor(l.intercept), grpc.WithDefaultCallOptions(calls...), grpc.WithIdleTimeout(idle))
	if err == nil {
		l.close = func() { _ = conn.Close() } // it fails only when closed already
	}
	return conn, err
}

// metricExporter is OpenTelemetry's. Its options repeat all that it would read from variables.
func (s *Signal) metricExporter(l *link) (sdkmetric.Exporter, error) {
	retry := otlpmetricgrpc.RetryConfig{Enabled: true, InitialInterval: time.Second, MaxInterval: maxRetry, MaxElapsedTime: metricsRetry}
	if s.Protocol == ProtocolHTTP {
		return otlpmetrichttp.New(context.Background(),
			otlpmetrichttp.WithHTTPClient(s.client(l)), otlpmetrichttp.WithEndpointURL(s.Target),
			otlpmetrichttp.WithHeaders(nil), otlpmetrichttp.WithTLSClientConfig(nil),
			otlpmetrichttp.WithCompression(otlpmetrichttp.Compression(s.Compression)),
			otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig(retry)))
	}
	conn, err := s.connection(l)
	if err != nil {
		return nil, err
	}
	return otlpmetricgrpc.New(context.Background(),
		otlpmetricgrpc.WithGRPCConn(conn), otlpmetricgrpc.WithHeaders(nil),
		otlpmetricgrpc.WithTimeout(metricsRetry), otlpmetricgrpc.WithRetry(retry))
}

// logExporter is metricExporter for logs.
func (s *Signal) logExporter(l *link) (sdklog.Exporter, error) {
	retry := otlploggrpc.RetryConfig{Enabled: true, InitialInterval: time.Second, MaxInterval: maxRetry, MaxElapsedTime: logsRetry}
	if s.Protocol == ProtocolHTTP {
		return otlploghttp.New(context.Background(),
			otlploghttp.WithHTTPClient(s.client(l)), otlploghttp.WithEndpointURL(s.Target),
			otlploghttp.WithHeaders(nil), otlploghttp.WithTLSClientConfig(nil),
			otlploghttp.WithCompression(otlploghttp.Compression(s.Compression)),
			otlploghttp.WithRetry(otlploghttp.RetryConfig(retry)))
	}
	conn, err := s.connection(l)
	if err != nil {
		return nil, err
	}
	return otlploggrpc.New(context.Background(),
		otlploggrpc.WithGRPCConn(conn), otlploggrpc.WithHeaders(nil),
		otlploggrpc.WithTimeout(logsRetry), otlploggrpc.WithRetry(retry))
}

// metricsOut counts what becomes of the requests of a push.
type metricsOut struct {
	sdkmetric.Exporter
	*link
	away error // why the rest of this push is not tried: the receiver is away
}

// Export implements metric.Exporter.
func (o *metricsOut) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	if o.away != nil {
		return o.away
	}
	err := o.Exporter.Export(ctx, rm)
	ok, retryable := o.exported(err)
	switch {
	case ok:
		return nil
	case retryable:
		o.away = err
	default:
		for _, m := range rm.ScopeMetrics[0].Metrics {
			o.dropped(reflect.ValueOf(m.Data).FieldByName("DataPoints").Len()) // of any type
		}
	}
	return err
}

// logsOut counts what becomes of log records. What the end cuts short is tried once more.
type logsOut struct {
	sdklog.Exporter
	*queue
	end context.Context // is done when the last push begins
}

// Export implements log.Exporter.
func (o *logsOut) Export(ctx context.Context, records []sdklog.Record) error {
	o.mu.Lock()
	o.waiting -= len(records)
	o.mu.Unlock()
	cut, cancel := context.WithCancel(ctx)
	defer cancel()
	if o.end.Err() == nil {
		defer context.AfterFunc(o.end, cancel)()
	}
	err := o.Exporter.Export(cut, records)
	if err != nil && cut.Err() != nil {
		last, cancel := context.WithTimeout(ctx, lastPush)
		defer cancel()
		err = o.Exporter.Export(last, records)
	}
	if ok, _ := o.exported(err); ok {
		o.pushed()
	} else {
		o.dropped(len(records))
	}
	return nil
}

// queue is a batch processor that counts what it drops when it is full: the SDK only logs it.
type queue struct {
	*sdklog.BatchProcessor
	*link
	mu      sync.Mutex
	waiting int
}

// OnEmit implements log.Processor. It never waits for the receiver.
func (q *queue) OnEmit(ctx context.Context, r *sdklog.Record) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting == queueSize {
		q.dropped(1) // the oldest
	} else {
		q.waiting++
	}
	return q.BatchProcessor.OnEmit(ctx, r)
}
