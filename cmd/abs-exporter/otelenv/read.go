// Package otelenv reads the OTEL_* variables as the configuration of metrics/otlp.
package otelenv

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	promconfig "github.com/prometheus/common/config"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/abs-exporter/abs-exporter/metrics/otlp"
)

// A Problem says what is wrong with one variable. It contains no value of a header.
type Problem struct {
	Variable, Detail string
	// Warning: the variable is ignored or not taken as it is, as the specification has it for an
	// unknown word or number. Without it the push would go elsewhere or lack its secrets.
	Warning bool
}

// HeadersFile stands for a variable in a Problem of the headers file.
const HeadersFile = "headers file"

// Read reads the OTEL_* variables by getenv; the one of a signal precedes the general one. The
// headers file, if not empty, has headers besides those of the variables. Nothing is pushed without
// an endpoint, unless OTEL_METRICS_EXPORTER or OTEL_LOGS_EXPORTER says otlp. The attributes precede
// those of OTEL_RESOURCE_ATTRIBUTES, which OpenTelemetry's library reads from the environment.
func Read(getenv func(name string) string, headersFile string, attributes map[string]string) (otlp.Config, []Problem) {
	r := reader{getenv: getenv, headersFile: headersFile}
	const interval = "OTEL_METRIC_EXPORT_INTERVAL"
	c := otlp.Config{
		Interval: cmp.Or(r.milliseconds(interval), time.Minute),
		Metrics:  r.signal("METRICS", "v1/metrics"),
		Logs:     r.signal("LOGS", "v1/logs"),
	}
	if strings.EqualFold(r.get("OTEL_SDK_DISABLED"), "true") || !c.Enabled() {
		return otlp.Config{}, nil // variables that are for other programs may have any value
	}
	if c.Interval > otlp.MaxInterval {
		r.warnf(interval, "is more than %s, which is taken instead: Prometheus drops a series without a sample for five minutes", otlp.MaxInterval)
		c.Interval = otlp.MaxInterval
	}
	for _, only := range [][2]string{
		{"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "cumulative"},
		{"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "explicit_bucket_histogram"},
	} {
		if v := r.get(only[0]); v != "" && !strings.EqualFold(v, only[1]) {
			r.warnf(only[0], "cannot be honoured: a push has what a scrape shows, which is %s", only[1])
		}
	}
	var configured []attribute.KeyValue
	for name, value := range attributes {
		configured = append(configured, attribute.String(name, value))
	}
	var err error
	if c.Resource, err = resource.New(context.Background(), resource.WithFromEnv(), resource.WithAttributes(configured...)); err != nil {
		r.warnf("OTEL_RESOURCE_ATTRIBUTES", "must be name=value, with commas between pairs; what is not is ignored")
	}
	return c, r.problems
}

// reader collects what is wrong, each problem once although most variables are read for each
// signal.
type reader struct {
	getenv      func(string) string
	headersFile string
	problems    []Problem
}

func (r *reader) failf(variable, format string, args ...any) {
	r.add(Problem{Variable: variable, Detail: fmt.Sprintf(format, args...)})
}

func (r *reader) warnf(variable, format string, args ...any) {
	r.add(Problem{Variable: variable, Detail: fmt.Sprintf(format, args...), Warning: true})
}

func (r *reader) add(p Problem) {
	if !slices.Contains(r.problems, p) {
		r.problems = append(r.problems, p)
	}
}

// get returns a variable. An empty one counts as unset, as the specification has it.
func (r *reader) get(name string) string { return strings.TrimSpace(r.getenv(name)) }

// choose returns the value that counts for a signal, and the variable that it is from.
func (r *reader) choose(signal, variable string) (value, name string) {
	name = "OTEL_EXPORTER_OTLP_" + signal + "_" + variable
	if value = r.get(name); value == "" {
		name = "OTEL_EXPORTER_OTLP_" + variable
		value = r.get(name)
	}
	return value, name
}

// word is choose for a setting with two values, in any case of letters.
func (r *reader) word(signal, variable, first, second string) string {
	value, name := r.choose(signal, variable)
	value = strings.ToLower(value)
	if value != "" && value != first && value != second {
		r.warnf(name, "must be %s or %s; it is ignored", first, second)
		return ""
	}
	return value
}

// milliseconds returns 0 for a variable that is unset or ignored.
func (r *reader) milliseconds(name string) time.Duration {
	text := r.get(name)
	ms, err := strconv.ParseUint(text, 10, 31)
	if text != "" && (err != nil || ms == 0) {
		r.warnf(name, "must be a whole number of milliseconds above 0; it is ignored")
		ms = 0
	}
	return time.Duration(ms) * time.Millisecond
}

// signal returns nil where the signal is not pushed.
func (r *reader) signal(name, path string) *otlp.Signal {
	exporters := strings.ToLower(r.get("OTEL_" + name + "_EXPORTER"))
	if endpoint, _ := r.choose(name, "ENDPOINT"); (endpoint == "" || exporters != "") && !strings.Contains(exporters, "otlp") {
		return nil
	}
	_, timeout := r.choose(name, "TIMEOUT")
	s := &otlp.Signal{
		Protocol: cmp.Or(r.word(name, "PROTOCOL", otlp.ProtocolGRPC, otlp.ProtocolHTTP), otlp.ProtocolHTTP),
		Timeout:  cmp.Or(r.milliseconds(timeout), 10*time.Second),
		TLS:      r.tls(name),
	}
	if r.word(name, "COMPRESSION", "gzip", "none") == "gzip" {
		s.Compression = otlp.Gzip
	}
	if r.endpoint(s, name, path) {
		s.TLS = nil
	}
	text, variable := r.choose(name, "HEADERS")
	h := headers{file: r.headersFile, preceding: strings.Contains(variable, name), grpc: s.Protocol == otlp.ProtocolGRPC}
	if err := h.parse(text); err != nil {
		r.failf(variable, "%s", err)
	} else if _, err := h.read(); err != nil {
		r.failf(HeadersFile, "%s", err)
	}
	if text != "" || r.headersFile != "" {
		s.Headers = h.read
		if s.TLS == nil {
			r.warnf(variable, "headers are sent to %s in plaintext: anyone on the way can read them", s.Target)
		}
	}
	return s
}

// endpoint sets the target and reports whether it is reached in plaintext. The exporters would read
// the variables too, but not alike: those for logs know neither dns:/// nor unix:///, and those for
// metrics push to localhost if they cannot parse an address without a scheme.
func (r *reader) endpoint(s *otlp.Signal, signal, path string) (plaintext bool) {
	address, name := r.choose(signal, "ENDPOINT")
	if address == "" && s.Protocol == otlp.ProtocolGRPC {
		address = "http://localhost:4317"
	}
	address = cmp.Or(address, "http://localhost:4318")
	if s.Protocol == otlp.ProtocolGRPC {
		insecure, _ := r.choose(signal, "INSECURE")
		plaintext = strings.EqualFold(insecure, "true")
		switch scheme, _, _ := strings.Cut(address, ":"); {
		case scheme == "dns" || scheme == "unix" || scheme == "unix-abstract":
			s.Target = address
			return plaintext || scheme != "dns"
		case !strings.Contains(address, "://"):
			address = map[bool]string{true: "http://", false: "https://"}[plaintext] + address
		}
	}
	u, err := url.Parse(address)
	switch { // the endpoint is not repeated: it may contain a password
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		r.failf(name, "is no URL of the form http://host:port or https://host:port")
		return false
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		r.failf(name, "must contain no user name, password, ? or #; secrets are sent in headers")
	case s.Protocol == otlp.ProtocolGRPC:
		s.Target = u.Host
	case strings.Contains(name, signal):
		s.Target = u.String() // taken as it is; the general endpoint is a base
	default:
		s.Target = u.JoinPath(path).String()
	}
	return u.Scheme == "http"
}

// tls reads the CA file now, and the client's certificate again for each connection.
func (r *reader) tls(signal string) *tls.Config {
	ca, name := r.choose(signal, "CERTIFICATE")
	if _, err := promconfig.NewTLSConfig(&promconfig.TLSConfig{CAFile: ca}); err != nil {
		r.failf(name, "%s", err)
		return nil
	}
	cert, name := r.choose(signal, "CLIENT_CERTIFICATE")
	key, _ := r.choose(signal, "CLIENT_KEY")
	config, err := promconfig.NewTLSConfig(&promconfig.TLSConfig{CAFile: ca, CertFile: cert, KeyFile: key})
	if err != nil {
		r.failf(name, "%s", err)
	}
	return config
}
