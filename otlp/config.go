package otlp

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The values of --otlp.protocol and OTEL_EXPORTER_OTLP_PROTOCOL.
const (
	ProtocolGRPC = "grpc"
	ProtocolHTTP = "http/protobuf"
)

// Defaults of the OpenTelemetry specification.
const (
	defaultHTTP     = "http://localhost:4318"
	defaultGRPC     = "http://localhost:4317"
	defaultTimeout  = 10 * time.Second
	defaultInterval = time.Minute
)

// maxInterval keeps series alive: a Prometheus behind the receiver forgets one after five minutes.
const maxInterval = 4 * time.Minute

// Settings are the flags --otlp.*. A zero value leaves the word to the OTEL_* variable of the same meaning.
type Settings struct {
	Endpoint           string        // --otlp.endpoint: URL
	Protocol           string        // --otlp.protocol
	HeadersFile        string        // --otlp.headers-file
	CAFile             string        // --otlp.ca-file
	CertFile           string        // --otlp.cert-file
	KeyFile            string        // --otlp.key-file
	Timeout            time.Duration // --otlp.timeout: one request
	Compression        string        // --otlp.compression: gzip or none
	Interval           time.Duration // --otlp.interval: between pushes of what did not change
	ResourceAttributes map[string]string
	NoMetrics          bool // --no-otlp.metrics
	NoLogs             bool // --no-otlp.logs
	ProcessLog         bool // --otlp.process-log: the process's own log goes with the events
}

// Config is what is pushed, where, and as whom. The zero value pushes nothing.
type Config struct {
	Metrics    *Signal // nil: not pushed
	Logs       *Signal // nil: not pushed
	Interval   time.Duration
	ProcessLog bool
	// Attributes of the resource, as flags and variables give them; Resource adds the exporter's own.
	Attributes map[string]string
}

// Enabled tells whether anything is pushed.
func (c *Config) Enabled() bool { return c.Metrics != nil || c.Logs != nil }

// Signal is where one signal goes.
type Signal struct {
	Protocol    string
	URL         *url.URL // gRPC: scheme and host only. HTTP: whole
	Headers     map[string]string
	HeadersFile string // read anew before each push; its headers go before Headers
	CAFile      string
	CertFile    string
	KeyFile     string
	Timeout     time.Duration
	Gzip        bool
}

// A ConfigError says what is wrong with one setting. No value of a header is in it.
type ConfigError struct {
	Name   string // of the flag, such as otlp.endpoint, or of the variable, such as OTEL_EXPORTER_OTLP_ENDPOINT
	Detail string
}

func (e *ConfigError) Error() string { return e.Name + ": " + e.Detail }

// LookupEnv is os.LookupEnv, or a test's.
type LookupEnv func(name string) (string, bool)

// Configure brings flags and variables together. A flag stands for the general variable and goes before it; a variable
// for one signal (OTEL_EXPORTER_OTLP_METRICS_ENDPOINT) goes before both, as the specification has it. Nothing is pushed
// unless an endpoint was given, or OTEL_METRICS_EXPORTER or OTEL_LOGS_EXPORTER says otlp. All that is wrong comes back at
// once, each thing a *ConfigError, joined.
func Configure(s Settings, env LookupEnv) (Config, error) {
	r := reader{settings: s, lookup: env}
	if r.get("OTEL_SDK_DISABLED") == "true" {
		return Config{}, nil
	}
	c := Config{Interval: r.interval(), ProcessLog: s.ProcessLog, Attributes: r.attributes()}
	if !s.NoMetrics {
		c.Metrics = r.signal("METRICS", "v1/metrics")
	}
	if !s.NoLogs {
		c.Logs = r.signal("LOGS", "v1/logs")
	}
	if !c.Enabled() {
		c = Config{} // variables that concern others may say what they like
		if s.Endpoint == "" {
			return c, nil
		}
	}
	return c, errors.Join(r.errs...)
}

type reader struct {
	settings Settings
	lookup   LookupEnv
	errs     []error
}

// failf notes what is wrong, once: most settings are read for each signal.
func (r *reader) failf(name, format string, args ...any) {
	wrong := &ConfigError{name, fmt.Sprintf(format, args...)}
	if !slices.ContainsFunc(r.errs, func(told error) bool { return told.Error() == wrong.Error() }) {
		r.errs = append(r.errs, wrong)
	}
}

// get is a variable; one that is empty counts as not set, as the specification says.
func (r *reader) get(name string) string {
	v, _ := r.lookup(name)
	return strings.TrimSpace(v)
}

// choose gives a setting of a signal and where it comes from: the signal's variable, the flag, the general variable.
func (r *reader) choose(signal, variable, flag, given string) (value, name string) {
	own, general := "OTEL_EXPORTER_OTLP_"+signal+"_"+variable, "OTEL_EXPORTER_OTLP_"+variable
	if v := r.get(own); v != "" {
		return v, own
	}
	if given != "" {
		return given, flag
	}
	return r.get(general), general
}

func (r *reader) interval() time.Duration {
	interval, name := r.settings.Interval, "otlp.interval"
	if interval == 0 {
		interval = defaultInterval
		if v := r.get("OTEL_METRIC_EXPORT_INTERVAL"); v != "" {
			interval, name = r.milliseconds("OTEL_METRIC_EXPORT_INTERVAL", v), "OTEL_METRIC_EXPORT_INTERVAL"
		}
	}
	if interval < 0 || interval > maxInterval {
		r.failf(name, "must be above 0 and at most %s, because Prometheus forgets a series that is not told for five minutes", maxInterval)
	}
	return interval
}

func (r *reader) milliseconds(name, text string) time.Duration {
	ms, err := strconv.ParseInt(text, 10, 32)
	if err != nil || ms <= 0 {
		r.failf(name, "must be a whole number of milliseconds above 0")
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

func (r *reader) attributes() map[string]string {
	attributes, err := parsePairs(r.get("OTEL_RESOURCE_ATTRIBUTES"))
	if err != nil {
		r.failf("OTEL_RESOURCE_ATTRIBUTES", "%s", err)
		attributes = map[string]string{}
	}
	if name := r.get("OTEL_SERVICE_NAME"); name != "" {
		attributes["service.name"] = name
	}
	maps.Copy(attributes, r.settings.ResourceAttributes)
	return attributes
}

// signal is nil where the signal is not pushed.
func (r *reader) signal(name, path string) *Signal {
	endpoint, from := r.choose(name, "ENDPOINT", "otlp.endpoint", r.settings.Endpoint)
	asked := false
	if chosen := r.get("OTEL_" + name + "_EXPORTER"); chosen != "" {
		switch chosen {
		case "none":
			return nil
		case "otlp":
			asked = true
		default:
			if endpoint != "" {
				r.failf("OTEL_"+name+"_EXPORTER", "must be otlp or none")
			}
		}
	}
	if endpoint == "" && !asked {
		return nil
	}
	s := &Signal{HeadersFile: r.settings.HeadersFile, Timeout: defaultTimeout}
	var source string
	switch s.Protocol, source = r.choose(name, "PROTOCOL", "otlp.protocol", r.settings.Protocol); s.Protocol {
	case "":
		s.Protocol = ProtocolHTTP
	case ProtocolGRPC, ProtocolHTTP:
	default:
		r.failf(source, "must be %s or %s", ProtocolGRPC, ProtocolHTTP)
	}
	s.URL = r.endpoint(s.Protocol, name, path, endpoint, from)
	s.CAFile, source = r.choose(name, "CERTIFICATE", "otlp.ca-file", r.settings.CAFile)
	r.readable(s.CAFile, source)
	s.CertFile, source = r.choose(name, "CLIENT_CERTIFICATE", "otlp.cert-file", r.settings.CertFile)
	r.readable(s.CertFile, source)
	s.KeyFile, source = r.choose(name, "CLIENT_KEY", "otlp.key-file", r.settings.KeyFile)
	r.readable(s.KeyFile, source)
	if (s.CertFile == "") != (s.KeyFile == "") {
		r.failf("otlp.cert-file", "a certificate and its key are given together")
	} else if s.URL != nil && len(r.errs) == 0 {
		if _, err := s.tls(); err != nil {
			r.failf("otlp.ca-file", "%s", err) // it names the file
		}
	}
	r.timeout(s, name)
	switch text, source := r.choose(name, "COMPRESSION", "otlp.compression", r.settings.Compression); text {
	case "gzip":
		s.Gzip = true
	case "", "none":
	default:
		r.failf(source, "must be gzip or none")
	}
	r.headers(s, name)
	return s
}

func (r *reader) endpoint(protocol, signal, path, endpoint, from string) *url.URL {
	if endpoint == "" {
		endpoint = map[string]string{ProtocolGRPC: defaultGRPC, ProtocolHTTP: defaultHTTP}[protocol]
	}
	if protocol == ProtocolGRPC && !strings.Contains(endpoint, "://") {
		scheme := "https://"
		if insecure, _ := r.choose(signal, "INSECURE", "", ""); insecure == "true" {
			scheme = "http://"
		}
		endpoint = scheme + endpoint
	}
	u, err := url.Parse(endpoint)
	// The endpoint is not repeated: one with a password in it is among the mistakes told here.
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		r.failf(from, "is no URL of the form http://host:port or https://host:port")
		return nil
	case u.User != nil:
		r.failf(from, "must hold no user name or password; give headers: OTEL_EXPORTER_OTLP_HEADERS or --otlp.headers-file")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		r.failf(from, "must have neither ? nor #")
	}
	if protocol == ProtocolGRPC {
		return &url.URL{Scheme: u.Scheme, Host: u.Host}
	}
	if !strings.Contains(from, "_"+signal+"_") {
		return u.JoinPath(path) // the general endpoint is a base
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u
}

func (r *reader) readable(file, source string) {
	if file == "" {
		return
	}
	if _, err := os.ReadFile(file); err != nil {
		r.failf(source, "%s", err)
	}
}

func (r *reader) timeout(s *Signal, signal string) {
	own := "OTEL_EXPORTER_OTLP_" + signal + "_TIMEOUT"
	switch {
	case r.get(own) != "":
		s.Timeout = r.milliseconds(own, r.get(own))
	case r.settings.Timeout < 0:
		r.failf("otlp.timeout", "must be above 0s but is %s", r.settings.Timeout)
	case r.settings.Timeout > 0:
		s.Timeout = r.settings.Timeout
	case r.get("OTEL_EXPORTER_OTLP_TIMEOUT") != "":
		s.Timeout = r.milliseconds("OTEL_EXPORTER_OTLP_TIMEOUT", r.get("OTEL_EXPORTER_OTLP_TIMEOUT"))
	}
}

func (r *reader) headers(s *Signal, signal string) {
	text, source := r.choose(signal, "HEADERS", "", "")
	headers, err := parsePairs(text)
	if err != nil {
		r.failf(source, "%s", err)
		return
	}
	s.Headers = headers
	if s.HeadersFile == "" {
		return
	}
	if _, err := readHeaders(s.HeadersFile); err != nil {
		r.failf("otlp.headers-file", "%s", err)
	}
}

var errPairs = errors.New("must be key=value, with commas between pairs and values percent-encoded")

// parsePairs reads the format of OTEL_EXPORTER_OTLP_HEADERS and OTEL_RESOURCE_ATTRIBUTES. Its error tells no value.
func parsePairs(text string) (map[string]string, error) {
	pairs := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		if key = strings.TrimSpace(key); !ok || key == "" {
			return nil, errPairs
		}
		decoded, err := url.PathUnescape(strings.TrimSpace(value))
		if err != nil {
			return nil, errPairs
		}
		pairs[key] = decoded
	}
	return pairs, nil
}

// readHeaders reads a file with one "name: value" a line. Its error tells no value.
func readHeaders(name string) (map[string]string, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	headers := map[string]string{}
	line := 0
	for text := range strings.Lines(string(data)) {
		line++
		if text = strings.TrimSpace(text); text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		key, value, ok := strings.Cut(text, ":")
		if key = strings.TrimSpace(key); !ok || key == "" || strings.ContainsAny(key, " \t=") {
			return nil, fmt.Errorf("%s:%d: must be a header, name: value", name, line)
		}
		headers[key] = strings.TrimSpace(value)
	}
	return headers, nil
}
