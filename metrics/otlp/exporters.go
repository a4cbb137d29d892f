package otlp

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
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
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // registers the compressor that UseCompressor names
	"google.golang.org/grpc/keepalive"
)

const (
	firstRetry   = time.Second
	maxRetry     = 30 * time.Second
	metricsRetry = time.Minute    // the next push has all of it, and what is new
	logsRetry    = 24 * time.Hour // nothing else has the records
	queueSize    = 2048           // log records that wait while the receiver is away, besides those under way
)

// client makes the client of an HTTP link.
func (s *Signal) client(l *link) *http.Client {
	l.transport = &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: s.TLS, ForceAttemptHTTP2: true, IdleConnTimeout: 90 * time.Second,
		// HTTP/2 would keep the connection to a receiver that vanished.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
	}
	l.close = l.transport.CloseIdleConnections
	return &http.Client{Transport: l}
}

// connection makes the connection of a gRPC link. It connects when it is first used.
func (s *Signal) connection(l *link) (*grpc.ClientConn, error) {
	transport, calls := insecure.NewCredentials(), []grpc.CallOption(nil)
	if s.TLS != nil {
		transport = credentials.NewTLS(s.TLS)
	}
	if s.Compression == Gzip {
		calls = append(calls, grpc.UseCompressor("gzip"))
	}
	reconnect := backoff.DefaultConfig
	reconnect.MaxDelay = maxRetry / 2
	conn, err := grpc.NewClient(s.Target,
		grpc.WithTransportCredentials(transport), grpc.WithUnaryInterceptor(l.intercept), grpc.WithDefaultCallOptions(calls...),
		grpc.WithDisableServiceConfig(), grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect, MinConnectTimeout: 5 * time.Second}),
		// Timeout is also how long TCP waits for a receiver that vanished; servers refuse a Time below 5m.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 6 * time.Minute, Timeout: 20 * time.Second}),
	)
	if err == nil {
		l.close = func() { _ = conn.Close() } // it fails only when closed already
	}
	return conn, err
}

// metricExporter is OpenTelemetry's. Its options repeat all that it would read from variables itself.
func (s *Signal) metricExporter(l *link) (sdkmetric.Exporter, error) {
	ctx := context.Background()
	retry := otlpmetricgrpc.RetryConfig{Enabled: true, InitialInterval: firstRetry, MaxInterval: maxRetry, MaxElapsedTime: metricsRetry}
	if s.Protocol == ProtocolHTTP {
		return otlpmetrichttp.New(ctx, otlpmetrichttp.WithHTTPClient(s.client(l)), otlpmetrichttp.WithHeaders(nil),
			otlpmetrichttp.WithTLSClientConfig(nil), otlpmetrichttp.WithEndpointURL(s.Target),
			otlpmetrichttp.WithCompression(otlpmetrichttp.Compression(s.Compression)), otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig(retry)))
	}
	conn, err := s.connection(l)
	if err != nil {
		return nil, err
	}
	return otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithGRPCConn(conn), otlpmetricgrpc.WithHeaders(nil),
		otlpmetricgrpc.WithTimeout(metricsRetry), otlpmetricgrpc.WithRetry(retry))
}

// logExporter is metricExporter for logs.
func (s *Signal) logExporter(l *link) (sdklog.Exporter, error) {
	ctx := context.Background()
	retry := otlploggrpc.RetryConfig{Enabled: true, InitialInterval: firstRetry, MaxInterval: maxRetry, MaxElapsedTime: logsRetry}
	if s.Protocol == ProtocolHTTP {
		return otlploghttp.New(ctx, otlploghttp.WithHTTPClient(s.client(l)), otlploghttp.WithHeaders(nil),
			otlploghttp.WithTLSClientConfig(nil), otlploghttp.WithEndpointURL(s.Target),
			otlploghttp.WithCompression(otlploghttp.Compression(s.Compression)), otlploghttp.WithRetry(otlploghttp.RetryConfig(retry)))
	}
	conn, err := s.connection(l)
	if err != nil {
		return nil, err
	}
	return otlploggrpc.New(ctx, otlploggrpc.WithGRPCConn(conn), otlploggrpc.WithHeaders(nil),
		otlploggrpc.WithTimeout(logsRetry), otlploggrpc.WithRetry(retry))
}

// errPush is all that the SDK gets to know of a failure: it was counted and logged.
var errPush = errors.New("otlp: the push failed")

// metricsOut counts what becomes of the requests of a push.
type metricsOut struct {
	sdkmetric.Exporter
	*link
	away bool // the receiver, for the rest of this push
}

// Export implements metric.Exporter.
func (o *metricsOut) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	if o.away {
		return errPush
	}
	ok, retryable := o.exported(o.Exporter.Export(ctx, rm))
	if ok {
		return nil
	}
	if o.away = retryable; !retryable {
		for _, m := range rm.ScopeMetrics[0].Metrics {
			o.dropped(reflect.ValueOf(m.Data).FieldByName("DataPoints").Len())
		}
	}
	return errPush
}

// logsOut counts what becomes of log records. Those of a request that the end cut short go in the last.
type logsOut struct {
	sdklog.Exporter
	*queue
	end  context.Context // is done when the last push begins
	kept []sdklog.Record
}

// Export implements log.Exporter.
func (o *logsOut) Export(ctx context.Context, records []sdklog.Record) error {
	o.took(len(records))
	records, o.kept = append(o.kept, records...), nil
	last := o.end.Err() != nil
	if !last {
		cut, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(o.end, cancel)()
		ctx = cut
	}
	if ok, _ := o.exported(o.Exporter.Export(ctx, records)); ok {
		o.pushed()
	} else if !last && o.end.Err() != nil {
		o.kept = slices.Clone(records)
	} else {
		o.dropped(len(records))
	}
	return nil
}

// ForceFlush implements log.Exporter. The SDK calls it after the last export, if there was one.
func (o *logsOut) ForceFlush(ctx context.Context) error {
	if len(o.kept) > 0 {
		_ = o.Export(ctx, nil) // always nil
	}
	return o.Exporter.ForceFlush(ctx)
}

// queue is a batch processor that counts what it drops when it is full: the SDK only logs it.
type queue struct {
	*sdklog.BatchProcessor
	*link
	mu                   sync.Mutex
	emitted, taken, lost int
}

// OnEmit implements log.Processor. It never waits for the receiver.
func (q *queue) OnEmit(ctx context.Context, r *sdklog.Record) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.emitted++
	// A record is lost for each one that is added to a full queue.
	if lost := q.emitted - q.taken - queueSize; lost > q.lost {
		q.dropped(lost - q.lost)
		q.lost = lost
	}
	return q.BatchProcessor.OnEmit(ctx, r)
}

func (q *queue) took(records int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken += records
}
