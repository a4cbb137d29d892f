package otlp

import (
	"cmp"
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
	// Warnings are of variables that were ignored, or not taken as they are, as the specification has it.
	Warnings []*ConfigError
	// Attributes of the resource, as flags and variables give them; Resource adds the exporter's own.
	Attributes map[string]string
}

// Enabled tells whether anything is pushed.
func (c *Config) Enabled() bool { return c.Metrics != nil || c.Logs != nil }

// Signal is where one signal goes.
type Signal struct {
	Protocol    string
	URL         *url.URL          // gRPC: scheme and host only. HTTP: whole
	Headers     map[string]string // names in lower case
	HeadersFile string            // read anew before each push
	OwnHeaders  bool              // Headers are of a variable for this signal, and go before the file's; else after
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
// once, each thing a *ConfigError, joined. A variable whose number or word is wrong is ignored with a warning, as the
// specification has it; one without which the push would go elsewhere, or without its secrets, is an error.
func Configure(s Settings, env LookupEnv) (Config, error) {
	r := reader{settings: s, lookup: env}
	if r.truth("OTEL_SDK_DISABLED") {
		return Config{Warnings: r.unheeded("OTEL_SDK_DISABLED")}, nil
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
	c.Warnings = r.warnings
	return c, errors.Join(r.errs...)
}

// unheeded is the warning that a variable goes before the flag that asks for pushes.
func (r *reader) unheeded(variable string) []*ConfigError {
	if r.settings.Endpoint == "" {
		return nil
	}
	return []*ConfigError{{variable, "says not to push, and goes before --otlp.endpoint"}}
}

type reader struct {
	settings Settings
	lookup   LookupEnv
	errs     []error
	warnings []*ConfigError
}

// failf notes what is wrong, once: most settings are read for each signal.
func (r *reader) failf(name, format string, args ...any) {
	wrong := &ConfigError{name, fmt.Sprintf(format, args...)}
	if !slices.ContainsFunc(r.errs, func(told error) bool { return told.Error() == wrong.Error() }) {
		r.errs = append(r.errs, wrong)
	}
}

// warnf is failf for what need not be as it was given.
func (r *reader) warnf(name, format string, args ...any) {
	odd := ConfigError{name, fmt.Sprintf(format, args...)}
	if !slices.ContainsFunc(r.warnings, func(told *ConfigError) bool { return *told == odd }) {
		r.warnings = append(r.warnings, &odd)
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

// truth is a variable that is true, in any case of letters, or false, as all else is.
func (r *reader) truth(name string) bool {
	v := strings.ToLower(r.get(name))
	if v != "" && v != "true" && v != "false" {
		r.warnf(name, "must be true or false; it counts as false")
	}
	return v == "true"
}

// word is choose for a setting with few values, which may be given in any case; empty if there is none.
func (r *reader) word(signal, variable, flag, given string, allowed ...string) string {
	must := "must be " + strings.Join(allowed, " or ")
	take := func(name string) (string, bool) {
		v := strings.ToLower(r.get(name))
		if v != "" && !slices.Contains(allowed, v) {
			r.warnf(name, "%s; it is ignored", must)
			v = ""
		}
		return v, v != ""
	}
	if v, ok := take("OTEL_EXPORTER_OTLP_" + signal + "_" + variable); ok {
		return v
	}
	if given != "" {
		if given = strings.ToLower(given); !slices.Contains(allowed, given) {
			r.failf(flag, "%s", must)
		}
		return given
	}
	v, _ := take("OTEL_EXPORTER_OTLP_" + variable)
	return v
}

const whyInterval = "because Prometheus forgets a series that is not told for five minutes"

func (r *reader) interval() time.Duration {
	const variable = "OTEL_METRIC_EXPORT_INTERVAL"
	switch interval := r.settings.Interval; {
	case interval < 0 || interval > maxInterval:
		r.failf("otlp.interval", "must be above 0 and at most %s, %s", maxInterval, whyInterval)
		return interval
	case interval > 0:
		return interval
	}
	interval := r.milliseconds(variable)
	if interval > maxInterval {
		r.warnf(variable, "is more than %s, which is taken instead, %s", maxInterval, whyInterval)
		interval = maxInterval
	}
	return cmp.Or(interval, defaultInterval)
}

// milliseconds is 0 for a variable that does not say.
func (r *reader) milliseconds(name string) time.Duration {
	text := r.get(name)
	if text == "" {
		return 0
	}
	ms, err := strconv.ParseInt(text, 10, 32)
	if err != nil || ms <= 0 {
		r.warnf(name, "must be a whole number of milliseconds above 0; it is ignored")
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

func (r *reader) attributes() map[string]string {
	attributes, err := parsePairs(r.get("OTEL_RESOURCE_ATTRIBUTES"))
	if err != nil {
		r.warnf("OTEL_RESOURCE_ATTRIBUTES", "%s; all of it is ignored", err)
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
	asked, not := r.exporter("OTEL_" + name + "_EXPORTER")
	if not || (endpoint == "" && !asked) {
		return nil
	}
	s := &Signal{HeadersFile: r.settings.HeadersFile, Timeout: defaultTimeout}
	s.Protocol = cmp.Or(r.word(name, "PROTOCOL", "otlp.protocol", r.settings.Protocol, ProtocolGRPC, ProtocolHTTP), ProtocolHTTP)
	var source string
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
	s.Gzip = r.word(name, "COMPRESSION", "otlp.compression", r.settings.Compression, "gzip", "none") == "gzip"
	r.headers(s, name)
	return s
}

// exporter reads a list of exporters: whether otlp is among them, or others are and it is not.
func (r *reader) exporter(variable string) (asked, not bool) {
	for name := range strings.SplitSeq(strings.ToLower(r.get(variable)), ",") {
		switch strings.TrimSpace(name) {
		case "":
		case "otlp":
			asked = true
		case "none", "prometheus", "console", "logging":
			not = true
		default:
			r.warnf(variable, "names an exporter that is unknown; it is ignored")
		}
	}
	if not = not && !asked; not {
		r.warnings = append(r.warnings, r.unheeded(variable)...)
	}
	return asked, not
}

func (r *reader) endpoint(protocol, signal, path, endpoint, from string) *url.URL {
	if endpoint == "" {
		endpoint = map[string]string{ProtocolGRPC: defaultGRPC, ProtocolHTTP: defaultHTTP}[protocol]
	}
	if protocol == ProtocolGRPC && !strings.Contains(endpoint, "://") {
		scheme := "https://"
		if _, name := r.choose(signal, "INSECURE", "", ""); r.truth(name) {
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
	given := r.settings.Timeout
	if given < 0 {
		r.failf("otlp.timeout", "must be above 0s but is %s", given)
	}
	own := r.milliseconds("OTEL_EXPORTER_OTLP_" + signal + "_TIMEOUT")
	s.Timeout = cmp.Or(own, given, r.milliseconds("OTEL_EXPORTER_OTLP_TIMEOUT"), defaultTimeout)
}

func (r *reader) headers(s *Signal, signal string) {
	text, source := r.choose(signal, "HEADERS", "", "")
	headers, err := parsePairs(text)
	if err != nil {
		r.failf(source, "%s", err)
		return
	}
	s.Headers, s.OwnHeaders = lowerNames(headers), source != "OTEL_EXPORTER_OTLP_HEADERS"
	if s.HeadersFile == "" {
		return
	}
	if _, err := readHeaders(s.HeadersFile); err != nil {
		r.failf("otlp.headers-file", "%s", err)
	}
}

// lowerNames makes names that differ only in case one, as they are to the receiver.
func lowerNames(headers map[string]string) map[string]string {
	lower := make(map[string]string, len(headers))
	for _, name := range slices.Sorted(maps.Keys(headers)) { // sorted so that it is always the same one that counts
		lower[strings.ToLower(name)] = headers[name]
	}
	return lower
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

// readHeaders reads a file with one "name: value" a line; names come in lower case. Its error tells no value.
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
		headers[strings.ToLower(key)] = strings.TrimSpace(value)
	}
	return headers, nil
}
