package config

import (
	"maps"
	"os"
	"strconv"
	"time"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/otelenv"
	"github.com/abs-exporter/abs-exporter/metrics/otlp"
)

// OTLP pushes metrics and events over OTLP. A flag stands for the general OTEL_* variable of the
// same meaning and replaces it; the variable of one signal precedes it.
type OTLP struct {
	Endpoint           string            `placeholder:"URL" help:"Push over OTLP to this receiver, such as http://collector:4318; with gRPC dns:/// and unix:/// too. Or the variable OTEL_EXPORTER_OTLP_ENDPOINT. Empty everywhere: nothing is pushed."`
	Protocol           string            `placeholder:"PROTOCOL" help:"grpc or http/protobuf. Or OTEL_EXPORTER_OTLP_PROTOCOL; by default http/protobuf."`
	HeadersFile        string            `file:"" placeholder:"FILE" help:"File with the headers of each request, one name: value a line; read again for each. Or OTEL_EXPORTER_OTLP_HEADERS. Never a flag's value."`
	CAFile             string            `file:"" name:"ca-file" placeholder:"FILE" help:"PEM certificates to trust instead of the system's. Or OTEL_EXPORTER_OTLP_CERTIFICATE."`
	CertFile           string            `file:"" placeholder:"FILE" help:"PEM client certificate. Or OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE."`
	KeyFile            string            `file:"" placeholder:"FILE" help:"PEM key of the client certificate. Or OTEL_EXPORTER_OTLP_CLIENT_KEY."`
	Timeout            time.Duration     `placeholder:"DURATION" help:"Time limit of one request. Or OTEL_EXPORTER_OTLP_TIMEOUT, in milliseconds; by default 10s."`
	Compression        string            `placeholder:"COMPRESSION" help:"gzip or none. Or OTEL_EXPORTER_OTLP_COMPRESSION; by default none."`
	Interval           time.Duration     `placeholder:"DURATION" help:"Metrics are pushed soon after a commit of a cycle, at most once in this time. Or OTEL_METRIC_EXPORT_INTERVAL, in milliseconds; by default 1m."`
	BatchSize          int               `default:"1500" help:"Data points in one request at most. Smaller for a receiver that refuses requests as too large."`
	ResourceAttributes map[string]string `placeholder:"NAME=VALUE" help:"Attributes of the resource that pushes, such as deployment.environment.name=prod. Besides OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME. Repeatable."`
	Metrics            bool              `default:"true" negatable:"" help:"Push metrics."`
	Logs               bool              `default:"true" negatable:"" help:"Push each attack and anomaly that begins or ends as a log record."`
}

// variables are the flags that are given, by the variable that each stands for.
func (f *OTLP) variables() map[string]struct{ flag, value string } {
	all := map[string]struct{ flag, value string }{
		"OTEL_EXPORTER_OTLP_ENDPOINT":           {"otlp.endpoint", f.Endpoint},
		"OTEL_EXPORTER_OTLP_PROTOCOL":           {"otlp.protocol", f.Protocol},
		"OTEL_EXPORTER_OTLP_CERTIFICATE":        {"otlp.ca-file", f.CAFile},
		"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": {"otlp.cert-file", f.CertFile},
		"OTEL_EXPORTER_OTLP_CLIENT_KEY":         {"otlp.key-file", f.KeyFile},
		"OTEL_EXPORTER_OTLP_COMPRESSION":        {"otlp.compression", f.Compression},
		"OTEL_EXPORTER_OTLP_TIMEOUT":            {"otlp.timeout", milliseconds(f.Timeout)},
		"OTEL_METRIC_EXPORT_INTERVAL":           {"otlp.interval", milliseconds(f.Interval)},
		otelenv.HeadersFile:                     {"otlp.headers-file", f.HeadersFile},
	}
	if !f.Metrics {
		all["OTEL_METRICS_EXPORTER"] = struct{ flag, value string }{"otlp.metrics", "none"}
	}
	if !f.Logs {
		all["OTEL_LOGS_EXPORTER"] = struct{ flag, value string }{"otlp.logs", "none"}
	}
	maps.DeleteFunc(all, func(_ string, v struct{ flag, value string }) bool { return v.value == "" })
	return all
}

func milliseconds(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return strconv.FormatInt(d.Milliseconds(), 10)
}

// Config reads flags and variables together. The names of the problems are of a flag or a variable;
// of flags everything must be right, and of variables what is no warning.
func (f *OTLP) Config() (otlp.Config, []otelenv.Problem) {
	flags := f.variables()
	c, all := otelenv.Read(func(name string) string {
		if v, ok := flags[name]; ok {
			return v.value
		}
		return os.Getenv(name)
	}, f.HeadersFile, f.ResourceAttributes)
	c.BatchSize = f.BatchSize
	for i, p := range all {
		if v, ok := flags[p.Variable]; ok {
			all[i].Variable, all[i].Warning = v.flag, p.Warning && p.Variable == otelenv.HeadersFile
		}
	}
	if f.BatchSize < 1 {
		all = append(all, otelenv.Problem{Variable: "otlp.batch-size", Detail: "must be above 0"})
	}
	if f.Endpoint != "" && (f.Metrics && c.Metrics == nil || f.Logs && c.Logs == nil) {
		all = append(all, otelenv.Problem{
			Variable: "otlp.endpoint", Warning: true,
			Detail: "is not pushed to, or not everything: OTEL_SDK_DISABLED, OTEL_METRICS_EXPORTER or OTEL_LOGS_EXPORTER precedes it",
		})
	}
	return c, all
}

// validate has the package that knows both validate flags and OTEL_* variables together.
func (f *OTLP) validate(v *validation) {
	_, all := f.Config()
	for _, one := range all {
		if !one.Warning {
			v.failf(one.Variable, "%s", one.Detail)
		}
	}
}
