package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/metrics"
	"github.com/abs-exporter/abs-exporter/metrics/otlp"
)

// otlpFlags push metrics and events over OTLP. An empty one leaves the word to the OTEL_*
// variable of the same meaning.
type otlpFlags struct {
	Endpoint           string            `placeholder:"URL" help:"Push over OTLP to this receiver, such as http://collector:4318. Or the variable OTEL_EXPORTER_OTLP_ENDPOINT. Empty everywhere: nothing is pushed."`
	Protocol           string            `placeholder:"PROTOCOL" help:"grpc or http/protobuf. Or OTEL_EXPORTER_OTLP_PROTOCOL; by default http/protobuf."`
	HeadersFile        string            `placeholder:"FILE" help:"File with the headers of each push, one name: value a line; read again before each. Or OTEL_EXPORTER_OTLP_HEADERS. Never a flag's value."`
	CAFile             string            `name:"ca-file" placeholder:"FILE" help:"PEM certificates to trust instead of the system's. Or OTEL_EXPORTER_OTLP_CERTIFICATE."`
	CertFile           string            `placeholder:"FILE" help:"PEM client certificate. Or OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE."`
	KeyFile            string            `placeholder:"FILE" help:"PEM key of the client certificate. Or OTEL_EXPORTER_OTLP_CLIENT_KEY."`
	Timeout            time.Duration     `placeholder:"DURATION" help:"Time limit of one request. Or OTEL_EXPORTER_OTLP_TIMEOUT, in milliseconds; by default 10s."`
	Compression        string            `placeholder:"COMPRESSION" help:"gzip or none. Or OTEL_EXPORTER_OTLP_COMPRESSION; by default none."`
	Interval           time.Duration     `placeholder:"DURATION" help:"Metrics are pushed after each commit of a cycle, and at least this often. Or OTEL_METRIC_EXPORT_INTERVAL, in milliseconds; by default 1m."`
	ResourceAttributes map[string]string `placeholder:"NAME=VALUE" help:"Attributes of the resource that pushes, such as deployment.environment.name=prod. Besides OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME. Repeatable."`
	Metrics            bool              `default:"true" negatable:"" help:"Push metrics."`
	Logs               bool              `default:"true" negatable:"" help:"Push each attack and anomaly that begins or ends as a log record."`
	ProcessLog         bool              `help:"Push the process's own log too, with the events."`
}

func (f *otlpFlags) config() (otlp.Config, error) {
	return otlp.Configure(otlp.Settings{
		Endpoint: f.Endpoint, Protocol: f.Protocol, HeadersFile: f.HeadersFile,
		CAFile: f.CAFile, CertFile: f.CertFile, KeyFile: f.KeyFile,
		Timeout: f.Timeout, Compression: f.Compression, Interval: f.Interval,
		ResourceAttributes: f.ResourceAttributes,
		NoMetrics:          !f.Metrics, NoLogs: !f.Logs, ProcessLog: f.ProcessLog,
	}, os.LookupEnv)
}

// check lets the package check what it alone knows: flags and OTEL_* variables together.
func (f *otlpFlags) check(p *problems) {
	_, err := f.config()
	for _, err := range unjoin(err) {
		name, text := "otlp.endpoint", err.Error()
		if wrong := (*otlp.ConfigError)(nil); errors.As(err, &wrong) {
			name, text = wrong.Name, wrong.Detail
		}
		p.addf(name, "%s", text)
	}
}

func unjoin(err error) []error {
	var joined interface{ Unwrap() []error }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &joined):
		return joined.Unwrap()
	default:
		return []error{err}
	}
}

// pusher is nil where nothing is pushed: then nothing is made for it.
func (f *otlpFlags) pusher(b metrics.Build, listener net.Addr, registry *prometheus.Registry, clock collector.Clock, log *slog.Logger) (*otlp.Pusher, error) {
	config, err := f.config()
	for _, w := range config.Warnings {
		log.Warn("a variable of OpenTelemetry is not taken as it is", "variable", w.Name, "detail", w.Detail)
	}
	if err != nil || !config.Enabled() {
		return nil, err
	}
	p, err := otlp.New(config, otlp.Options{
		Identity: otlp.Identity{Version: b.Version, Instance: instance(listener)},
		Registry: registry, Now: clock.Now, Log: log,
	})
	if err != nil {
		return nil, &usageError{fmt.Errorf("--otlp.endpoint: %w", err)}
	}
	return p, nil
}

// instance tells this exporter from others, and is the same after a restart: the host, and
// the port that only one process of the host can have.
func instance(listener net.Addr) string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	_, port, err := net.SplitHostPort(listener.String())
	if err != nil {
		return host
	}
	return net.JoinHostPort(host, port)
}
