package config

import (
	"errors"
	"os"
	"time"

	"github.com/abs-exporter/abs-exporter/metrics/otlp"
)

// OTLP pushes metrics and events over OTLP. Where a flag is empty, the OTEL_* variable of the same
// meaning applies.
type OTLP struct {
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

// Push returns what to push, and where, from flags and OTEL_* variables together.
func (f *OTLP) Push() (otlp.Config, error) {
	return otlp.Configure(otlp.Settings{
		Endpoint: f.Endpoint, Protocol: f.Protocol, HeadersFile: f.HeadersFile,
		CAFile: f.CAFile, CertFile: f.CertFile, KeyFile: f.KeyFile,
		Timeout: f.Timeout, Compression: f.Compression, Interval: f.Interval,
		ResourceAttributes: f.ResourceAttributes,
		NoMetrics:          !f.Metrics, NoLogs: !f.Logs, ProcessLog: f.ProcessLog,
	}, os.LookupEnv)
}

func (f *OTLP) validate(v *validation) {
	_, err := f.Push()
	errs := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		errs = joined.Unwrap()
	}
	for _, err := range errs {
		if wrong := (*otlp.ConfigError)(nil); errors.As(err, &wrong) {
			v.failf(wrong.Name, "%s", wrong.Detail)
		} else if err != nil {
			v.failf("otlp.endpoint", "%s", err)
		}
	}
}
