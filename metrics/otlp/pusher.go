// Package otlp pushes over OTLP (gRPC or HTTP) what /metrics serves, with the names, labels, values
// and start times of a scrape, and attacks and anomalies that begin or end as log records. It is
// OpenTelemetry's SDK and exporters, with what they leave to the program around them.
package otlp

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	otellog "go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// The protocols and the compression of a Signal, as OpenTelemetry has them.
const (
	ProtocolGRPC = "grpc"
	ProtocolHTTP = "http/protobuf"
	Gzip         = int(otlpmetrichttp.GzipCompression)
)

const (
	// DefaultBatchSize keeps a request of points with four labels of 128 bytes below 1 MiB.
	DefaultBatchSize = 1500
	// MaxInterval keeps series alive: Prometheus drops one without a sample for five minutes.
	MaxInterval = 4 * time.Minute
	scopeName   = "github.com/abs-exporter/abs-exporter"
	lastPush    = 5 * time.Second // is how long the push at the end may take
)

// Config is what is pushed, and where to. The zero value pushes nothing.
type Config struct {
	Metrics, Logs *Signal            // nil: not pushed
	Interval      time.Duration      // between pushes of metrics, at most MaxInterval
	BatchSize     int                // data points in one request; 0: DefaultBatchSize
	Resource      *resource.Resource // whose attributes precede the exporter's own; nil: none
}

// Enabled reports whether anything is pushed.
func (c *Config) Enabled() bool { return c.Metrics != nil || c.Logs != nil }

// Signal is where one signal is sent to, and how.
type Signal struct {
	Protocol    string
	Target      string                            // a gRPC target, or the URL of an HTTP endpoint
	TLS         *tls.Config                       // nil: plaintext
	Headers     func() (map[string]string, error) // called for each request; nil: none
	Timeout     time.Duration                     // of one request
	Compression int                               // 0 or Gzip
}

// Options of a Pusher.
type Options struct {
	// Version and Instance are service.version and service.instance.id where Config.Resource has
	// none. Prometheus makes its label instance from the latter, so it should outlive a restart.
	Version, Instance string
	// Registry has the exporter's own health, which is pushed too, and gets the families of pushes.
	Registry interface {
		prometheus.Registerer
		prometheus.Gatherer
	}
	Published func() []metrics.FamilySamples // what a scrape shows now, besides the registry
	Now       func() time.Time               // the time of points
	Log       *slog.Logger
}

// Pusher pushes what is published, what the registry gathers, and events. It keeps no snapshot: a
// push after a failure has the values of its own time.
type Pusher struct {
	Options
	interval  time.Duration
	health    *metrics.PushHealth
	reader    *sdkmetric.PeriodicReader // nil: no metrics
	pushed    func()                    // called after a push of metrics that failed in nothing
	queue     *queue                    // nil: no logs
	events    otellog.Logger
	links     []*link
	end       context.CancelFunc // cuts an export of logs short, before the last one
	committed chan struct{}      // has one while there is something new
}

// New prepares a pusher for a configuration that is Enabled; run or close it. It silences what
// OpenTelemetry's libraries log in this process: their errors quote variables and receivers.
func New(c Config, o Options) (*Pusher, error) {
	otel.SetLogger(logr.Discard())
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {}))
	p := &Pusher{
		Options: o, interval: c.Interval, health: metrics.NewPushHealth(o.Registry), end: func() {},
		committed: make(chan struct{}, 1),
	}
	own := resource.NewSchemaless(semconv.ServiceName("abs-exporter"),
		semconv.ServiceVersion(o.Version), semconv.ServiceInstanceID(o.Instance))
	res, err := resource.Merge(own, c.Resource)
	if err == nil && c.Metrics != nil {
		err = p.openMetrics(c, res)
	}
	if err == nil && c.Logs != nil {
		err = p.openLogs(c, res)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// link opens the way to the receiver of a signal.
func (p *Pusher) link(signal string, s *Signal, consequence string) *link {
	p.health.Init(signal)
	l := &link{
		signal: signal, consequence: consequence, headers: s.Headers, timeout: s.Timeout, health: p.health, log: p.Log, close: func() {},
	}
	if s.Headers == nil {
		l.headers = func() (map[string]string, error) { return nil, nil }
	}
	p.links = append(p.links, l)
	return l
}

func (p *Pusher) openMetrics(c Config, res *resource.Resource) error {
	l := p.link(metrics.SignalMetrics, c.Metrics, "the next push has the same and what is new: sums are cumulative")
	e, err := c.Metrics.metricExporter(l)
	if err != nil {
		return err
	}
	out := &metricsOut{Exporter: e, link: l}
	p.pushed = l.pushed
	p.reader = sdkmetric.NewPeriodicReader(out,
		sdkmetric.WithProducer(&producer{Pusher: p, out: out}),
		sdkmetric.WithInterval(logsRetry), // Run triggers each push, after commits
		sdkmetric.WithTimeout(2*metricsRetry),
		sdkmetric.WithMaxExportBatchSize(cmp.Or(c.BatchSize, DefaultBatchSize)))
	sdkmetric.NewMeterProvider(sdkmetric.WithResource(res), sdkmetric.WithReader(p.reader)) // registers the reader
	return nil
}

func (p *Pusher) openLogs(c Config, res *resource.Resource) error {
	l := p.link(metrics.SignalLogs, c.Logs,
		"records wait, the newest 2048; those refused for good are lost, but not to the process's own log")
	e, err := c.Logs.logExporter(l)
	if err != nil {
		return err
	}
	p.queue = &queue{link: l}
	out := &logsOut{Exporter: e, queue: p.queue}
	out.end, p.end = context.WithCancel(context.Background())
	p.queue.BatchProcessor = sdklog.NewBatchProcessor(out, sdklog.WithMaxQueueSize(queueSize), sdklog.WithExportTimeout(logsRetry))
	provider := sdklog.NewLoggerProvider(sdklog.WithResource(res), sdklog.WithProcessor(p.queue))
	p.events = provider.Logger(scopeName, otellog.WithInstrumentationVersion(p.Version))
	return nil
}

// Commit requests a push after a commit that changed something. It never waits.
func (p *Pusher) Commit() {
	select {
	case p.committed <- struct{}{}:
	default:
	}
}

// Run pushes until ctx ends, and then once more. It returns nil, whatever a receiver does.
func (p *Pusher) Run(ctx context.Context) error {
	if p.reader != nil {
		p.runMetrics(ctx)
	}
	<-ctx.Done()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastPush)
	defer cancel()
	p.shutdown(last)
	return nil
}

// runMetrics pushes after commits, at most once in an interval. Without a commit it waits for more
// than two, so as not to take the place of the push after the next commit.
func (p *Pusher) runMetrics(ctx context.Context) {
	idle := min(p.interval*5/2, MaxInterval) - p.interval
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-p.committed:
		case <-time.After(idle):
		}
		next := time.After(p.interval)
		if p.reader.ForceFlush(ctx) == nil {
			p.pushed()
		} else { // it was counted and logged
			p.Commit()
		}
		select {
		case <-ctx.Done():
		case <-next:
		}
	}
}

// Close ends a pusher without a last push. After Run it does nothing.
func (p *Pusher) Close() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p.shutdown(ctx)
}

// shutdown pushes what there is as long as ctx lasts.
func (p *Pusher) shutdown(ctx context.Context) {
	p.end()
	var both sync.WaitGroup
	if p.reader != nil {
		both.Go(func() { _ = p.reader.Shutdown(ctx) }) // it was counted and logged
	}
	if p.queue != nil {
		both.Go(func() { _ = p.queue.Shutdown(ctx) }) // likewise
	}
	both.Wait()
	for _, l := range p.links {
		l.close()
	}
}
