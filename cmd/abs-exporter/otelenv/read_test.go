package otelenv

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/metrics/otlp"
)

// read reads the variables, and returns the warnings and errors by the variable's name.
func read(variables map[string]string, headersFile string) (c otlp.Config, warnings, errors []string) {
	c, problems := Read(func(name string) string { return variables[name] }, headersFile, nil)
	for _, p := range problems {
		if p.Warning {
			warnings = append(warnings, p.Variable)
		} else {
			errors = append(errors, p.Variable)
		}
	}
	slices.Sort(warnings)
	slices.Sort(errors)
	return c, warnings, errors
}

// Nothing is pushed until a variable says where to, and variables for other programs harm nobody.
func TestOffByDefault(t *testing.T) {
	for _, variables := range []map[string]string{
		nil,
		{"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", "OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_OTLP_TIMEOUT": "x"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "TRUE"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_METRICS_EXPORTER": "prometheus", "OTEL_LOGS_EXPORTER": "Console"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
	} {
		if c, warnings, errors := read(variables, ""); c.Enabled() || warnings != nil || errors != nil {
			t.Errorf("%v: enabled %v, %v, %v", variables, c.Enabled(), warnings, errors)
		}
	}
}

func TestEndpoints(t *testing.T) {
	for _, tc := range []struct {
		name      string
		variables map[string]string
		metrics   string // protocol, target and whether there is TLS; empty: not pushed
		logs      string
	}{
		{"HTTP", map[string]string{"ENDPOINT": "http://c:4318"}, "http/protobuf http://c:4318/v1/metrics false", "http/protobuf http://c:4318/v1/logs false"},
		{"a base with a path", map[string]string{"ENDPOINT": "https://c/otlp/"}, "http/protobuf https://c/otlp/v1/metrics true", "http/protobuf https://c/otlp/v1/logs true"},
		{"gRPC", map[string]string{"ENDPOINT": "http://c:4317", "PROTOCOL": "grpc"}, "grpc c:4317 false", "grpc c:4317 false"},
		{
			"the signal's variable precedes the general one, and is taken as it is",
			map[string]string{"ENDPOINT": "http://c:1", "METRICS_ENDPOINT": "http://p:9090/api/v1/otlp/v1/metrics", "LOGS_PROTOCOL": "grpc"},
			"http/protobuf http://p:9090/api/v1/otlp/v1/metrics false", "grpc c:1 false",
		},
		{"one signal", map[string]string{"LOGS_ENDPOINT": "http://c:4318/"}, "", "http/protobuf http://c:4318/ false"},
		{"gRPC without a scheme is TLS", map[string]string{"ENDPOINT": "127.0.0.1:4317", "PROTOCOL": "grpc"}, "grpc 127.0.0.1:4317 true", "grpc 127.0.0.1:4317 true"},
		{"unless a variable says insecure", map[string]string{"ENDPOINT": "c:4317", "PROTOCOL": "GRPC", "INSECURE": "True"}, "grpc c:4317 false", "grpc c:4317 false"},
		{"a socket", map[string]string{"ENDPOINT": "unix:///run/otel.sock", "PROTOCOL": "grpc"}, "grpc unix:///run/otel.sock false", "grpc unix:///run/otel.sock false"},
		{"a name with many addresses", map[string]string{"ENDPOINT": "dns:///c:4317", "PROTOCOL": "grpc"}, "grpc dns:///c:4317 true", "grpc dns:///c:4317 true"},
		{
			"the same in plaintext, for logs",
			map[string]string{"ENDPOINT": "dns:///c:4317", "PROTOCOL": "grpc", "LOGS_INSECURE": "true"},
			"grpc dns:///c:4317 true", "grpc dns:///c:4317 false",
		},
	} {
		variables := map[string]string{}
		for name, value := range tc.variables {
			variables["OTEL_EXPORTER_OTLP_"+name] = value
		}
		c, warnings, errors := read(variables, "")
		text := func(s *otlp.Signal) string {
			if s == nil {
				return ""
			}
			return fmt.Sprint(s.Protocol, " ", s.Target, " ", s.TLS != nil)
		}
		if text(c.Metrics) != tc.metrics || text(c.Logs) != tc.logs || warnings != nil || errors != nil {
			t.Errorf("%s: %q and %q, want %q and %q; %v, %v", tc.name, text(c.Metrics), text(c.Logs), tc.metrics, tc.logs, warnings, errors)
		}
	}
	for protocol, want := range map[string]string{"": "http://localhost:4318/v1/metrics", "grpc": "localhost:4317"} {
		if c, _, _ := read(map[string]string{"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}, ""); c.Metrics.Target != want || c.Logs != nil {
			t.Errorf("asked for without an endpoint: %+v", c.Metrics)
		}
	}
}

func headersFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "headers")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestOtherVariables(t *testing.T) {
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "a=env,b=x%2Cy,service.name=x")
	t.Setenv("OTEL_SERVICE_NAME", "named")
	variables := map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT":         "https://c:4318",
		"OTEL_EXPORTER_OTLP_TIMEOUT":          "2500",
		"OTEL_EXPORTER_OTLP_METRICS_TIMEOUT":  "500",
		"OTEL_EXPORTER_OTLP_COMPRESSION":      "GZip",
		"OTEL_EXPORTER_OTLP_LOGS_COMPRESSION": "none",
		"OTEL_METRIC_EXPORT_INTERVAL":         "30000",
		"OTEL_METRICS_EXPORTER":               "prometheus, otlp",
	}
	c, problems := Read(func(name string) string { return variables[name] }, "", map[string]string{"a": "flag"})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if c.Metrics.Timeout != 500*time.Millisecond || c.Logs.Timeout != 2500*time.Millisecond || c.Metrics.Compression != otlp.Gzip || c.Logs.Compression != 0 || c.Interval != 30*time.Second {
		t.Errorf("metrics %+v, logs %+v, interval %v", c.Metrics, c.Logs, c.Interval)
	}
	got := map[string]string{}
	for _, kv := range c.Resource.Attributes() {
		got[string(kv.Key)] = kv.Value.AsString()
	}
	if want := map[string]string{"a": "flag", "b": "x,y", "service.name": "named"}; !maps.Equal(got, want) {
		t.Errorf("resource %v, want %v", got, want)
	}
}

// Names of headers differ by more than case: a signal's variable precedes the file, and that the
// general variable. The file is read again each time.
func TestHeaders(t *testing.T) {
	file := headersFile(t, "# comment\nAuthorization: file: a=b\n\nX-File: 1\n")
	c, warnings, errors := read(map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT":     "https://c",
		"OTEL_EXPORTER_OTLP_HEADERS":      "AUTHORIZATION=general,X-General=a%20b",
		"OTEL_EXPORTER_OTLP_LOGS_HEADERS": "AuthorizatioN=own",
	}, file)
	if warnings != nil || errors != nil {
		t.Fatal(warnings, errors)
	}
	for signal, want := range map[*otlp.Signal]map[string]string{
		c.Metrics: {"authorization": "file: a=b", "x-file": "1", "x-general": "a b"},
		c.Logs:    {"authorization": "own", "x-file": "1"},
	} {
		if got, err := signal.Headers(); err != nil || !maps.Equal(got, want) {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
	if err := os.WriteFile(file, []byte("Authorization: other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Metrics.Headers(); err != nil || got["authorization"] != "other" {
		t.Errorf("%v, %v", got, err)
	}
	if err := os.WriteFile(file, []byte("Authorization: s3cr3t\x01\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Metrics.Headers(); err == nil || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("a header that cannot be sent: %v", err)
	}
	if c, _, _ := read(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, ""); c.Metrics.Headers != nil {
		t.Error("there are headers")
	}
}

// What cannot be as it was configured is ignored, with a warning.
func TestWarnings(t *testing.T) {
	for _, tc := range []struct {
		variables map[string]string
		warned    []string
		right     func(otlp.Config) bool
	}{
		{
			map[string]string{
				"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/json", "OTEL_EXPORTER_OTLP_COMPRESSION": "zstd",
				"OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "2s", "OTEL_METRIC_EXPORT_INTERVAL": "0", "OTEL_SDK_DISABLED": "1",
			},
			[]string{"OTEL_EXPORTER_OTLP_COMPRESSION", "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_METRIC_EXPORT_INTERVAL"},
			func(c otlp.Config) bool {
				return c.Metrics.Protocol == otlp.ProtocolHTTP && c.Metrics.Compression == 0 && c.Logs.Timeout == 10*time.Second && c.Interval == time.Minute
			},
		},
		{
			map[string]string{"OTEL_METRIC_EXPORT_INTERVAL": "600000"},
			[]string{"OTEL_METRIC_EXPORT_INTERVAL"},
			func(c otlp.Config) bool { return c.Interval == otlp.MaxInterval },
		},
		{
			map[string]string{
				"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE":        "delta",
				"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram",
			},
			[]string{"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"},
			func(c otlp.Config) bool { return c.Enabled() },
		},
		{map[string]string{"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "Cumulative"}, nil, func(c otlp.Config) bool { return c.Enabled() }},
		{
			map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "a=b"},
			[]string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"}, // in plaintext, to two targets
			func(c otlp.Config) bool { return c.Metrics.Headers != nil },
		},
	} {
		tc.variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://c"
		c, warned, errors := read(tc.variables, "")
		if !slices.Equal(warned, tc.warned) || errors != nil || !tc.right(c) {
			t.Errorf("warned of %q, want %q; %+v, %v", warned, tc.warned, c, errors)
		}
	}
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "a=b,c")
	if c, warned, _ := read(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, ""); !slices.Equal(warned, []string{"OTEL_RESOURCE_ATTRIBUTES"}) || c.Resource == nil {
		t.Errorf("warned of %q", warned)
	}
}

// Without what is wrong here a push would go elsewhere or lack its secrets. No secret is repeated.
func TestErrors(t *testing.T) {
	const secret = "s3cr3t"
	for _, tc := range []struct {
		name, variable, value string
	}{
		{"no URL", "ENDPOINT", "collector"},
		{"not over HTTP", "ENDPOINT", "unix:///run/otel.sock"},
		{"a password", "ENDPOINT", "http://u:" + secret + "@c"},
		{"a query", "ENDPOINT", "http://c/?token=" + secret},
		{"no pairs", "HEADERS", secret},
		{"not percent-encoded", "HEADERS", "a=%" + secret},
		{"a line break", "HEADERS", "a=x%0A" + secret},
		{"no name", "HEADERS", "a b=" + secret},
		{"no such CA file", "CERTIFICATE", "/nowhere"},
		{"no certificate", "CERTIFICATE", "read_test.go"},
		{"no such client certificate", "CLIENT_CERTIFICATE", "/nowhere"},
	} {
		name := "OTEL_EXPORTER_OTLP_" + tc.variable
		variables := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c"}
		variables[name] = tc.value
		_, problems := Read(func(name string) string { return variables[name] }, "", nil)
		if len(problems) != 1 || problems[0].Variable != name || problems[0].Warning || strings.Contains(problems[0].Detail, secret) {
			t.Errorf("%s: %+v", tc.name, problems)
		}
	}
	variables := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c"}
	for _, file := range []string{"/nowhere", headersFile(t, "Bearer "+secret), headersFile(t, "a: "+secret+"\x7f")} {
		if _, problems := Read(func(name string) string { return variables[name] }, file, nil); len(problems) != 1 || problems[0].Variable != HeadersFile || strings.Contains(problems[0].Detail, secret) {
			t.Errorf("%+v", problems)
		}
	}
	// HTTP takes values that gRPC does not.
	variables["OTEL_EXPORTER_OTLP_HEADERS"] = "a=%C3%BC"
	if _, _, errors := read(variables, ""); errors != nil {
		t.Errorf("HTTP: %v", errors)
	}
	variables["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc"
	if _, _, errors := read(variables, ""); !slices.Equal(errors, []string{"OTEL_EXPORTER_OTLP_HEADERS"}) {
		t.Errorf("gRPC: %v", errors)
	}
}
