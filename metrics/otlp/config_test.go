package otlp

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func env(variables map[string]string) LookupEnv {
	return func(name string) (string, bool) {
		v, ok := variables[name]
		return v, ok
	}
}

// Nothing is pushed until somebody says where to, and variables for others harm nobody.
func TestOffByDefault(t *testing.T) {
	for _, variables := range []map[string]string{
		nil,
		{"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", "OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_OTLP_TIMEOUT": "x"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "TRUE"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_METRICS_EXPORTER": "prometheus", "OTEL_LOGS_EXPORTER": "Console"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
	} {
		c, err := Configure(Settings{}, env(variables))
		if err != nil || c.Enabled() || c.Warnings != nil {
			t.Errorf("%v: enabled %v, %v, %v", variables, c.Enabled(), err, c.Warnings)
		}
	}
}

func TestEndpoints(t *testing.T) {
	for _, tc := range []struct {
		name      string
		settings  Settings
		variables map[string]string
		metrics   string // protocol and URL; empty: off
		logs      string
	}{
		{"the flag", Settings{Endpoint: "http://c:4318"}, nil, "http/protobuf http://c:4318/v1/metrics", "http/protobuf http://c:4318/v1/logs"},
		{"a base with a path", Settings{Endpoint: "https://c/otlp/"}, nil, "http/protobuf https://c/otlp/v1/metrics", "http/protobuf https://c/otlp/v1/logs"},
		{
			"the variable",
			Settings{},
			map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
			"grpc http://c:4317", "grpc http://c:4317",
		},
		{
			"the flag goes before the variable",
			Settings{Endpoint: "http://flag:1", Protocol: "grpc"},
			map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
			"grpc http://flag:1", "grpc http://flag:1",
		},
		{
			"the signal's variable goes before both, and is taken as it is",
			Settings{Endpoint: "http://flag:1"},
			map[string]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://p:9090/api/v1/otlp/v1/metrics", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "grpc"},
			"http/protobuf http://p:9090/api/v1/otlp/v1/metrics", "grpc http://flag:1",
		},
		{
			"one signal only",
			Settings{},
			map[string]string{"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://c:4318"},
			"", "http/protobuf http://c:4318/",
		},
		{"asked for without an endpoint", Settings{}, map[string]string{"OTEL_METRICS_EXPORTER": "otlp"}, "http/protobuf http://localhost:4318/v1/metrics", ""},
		{
			"gRPC without a scheme is TLS", Settings{Endpoint: "c:4317", Protocol: "grpc", NoLogs: true}, nil, "grpc https://c:4317", "",
		},
		{
			"unless it says so",
			Settings{Endpoint: "c:4317", Protocol: "grpc", NoLogs: true},
			map[string]string{"OTEL_EXPORTER_OTLP_INSECURE": "true"},
			"grpc http://c:4317", "",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := Configure(tc.settings, env(tc.variables))
			if err != nil {
				t.Fatal(err)
			}
			text := func(s *Signal) string {
				if s == nil {
					return ""
				}
				return s.Protocol + " " + s.URL.String()
			}
			if got := text(c.Metrics); got != tc.metrics {
				t.Errorf("metrics %q, want %q", got, tc.metrics)
			}
			if got := text(c.Logs); got != tc.logs {
				t.Errorf("logs %q, want %q", got, tc.logs)
			}
		})
	}
}

func TestTheOtherVariables(t *testing.T) {
	file := filepath.Join(t.TempDir(), "headers")
	if err := os.WriteFile(file, []byte("# comment\nAuthorization: Bearer a=b:c\n\nx-scope: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Configure(Settings{HeadersFile: file, ResourceAttributes: map[string]string{"a": "flag"}}, env(map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT":         "http://c:4318",
		"OTEL_EXPORTER_OTLP_HEADERS":          "api-key=a%20b, x=y",
		"OTEL_EXPORTER_OTLP_LOGS_HEADERS":     "logs=1",
		"OTEL_EXPORTER_OTLP_TIMEOUT":          "2500",
		"OTEL_EXPORTER_OTLP_METRICS_TIMEOUT":  "500",
		"OTEL_EXPORTER_OTLP_COMPRESSION":      "gzip",
		"OTEL_EXPORTER_OTLP_LOGS_COMPRESSION": "none",
		"OTEL_METRIC_EXPORT_INTERVAL":         "30000",
		"OTEL_RESOURCE_ATTRIBUTES":            "a=env,service.name=x,service.instance.id=pod%2C1",
		"OTEL_SERVICE_NAME":                   "named",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(c.Metrics.Headers, map[string]string{"api-key": "a b", "x": "y"}) || !maps.Equal(c.Logs.Headers, map[string]string{"logs": "1"}) {
		t.Errorf("headers %v and %v", c.Metrics.Headers, c.Logs.Headers)
	}
	h := headers{fixed: c.Metrics.Headers, file: file}
	if sent, err := h.read(); err != nil || sent["authorization"] != "Bearer a=b:c" || sent["x-scope"] != "1" || sent["x"] != "y" {
		t.Errorf("headers %v, %v", sent, err)
	}
	if c.Metrics.Timeout != 500*time.Millisecond || c.Logs.Timeout != 2500*time.Millisecond || !c.Metrics.Gzip || c.Logs.Gzip || c.Interval != 30*time.Second {
		t.Errorf("metrics %+v, logs %+v, interval %v", c.Metrics, c.Logs, c.Interval)
	}
	got := c.Resource(Identity{Version: "1.2.3", Instance: "host:10464"})
	want := map[string]string{"a": "flag", "service.name": "named", "service.instance.id": "pod,1", "service.version": "1.2.3"}
	if !maps.Equal(got, want) {
		t.Errorf("resource %v, want %v", got, want)
	}
}

// Names of headers are told apart by nothing but letters: a signal's variable goes before the file, and that before the
// general variable.
func TestWhichHeaderCounts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "headers")
	if err := os.WriteFile(file, []byte("Authorization: file\nX-File: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Configure(Settings{Endpoint: "http://c", HeadersFile: file}, env(map[string]string{
		"OTEL_EXPORTER_OTLP_HEADERS":      "AUTHORIZATION=general,X-General=1",
		"OTEL_EXPORTER_OTLP_LOGS_HEADERS": "AuthorizatioN=own",
	}))
	if err != nil {
		t.Fatal(err)
	}
	for signal, want := range map[*Signal]map[string]string{
		c.Metrics: {"authorization": "file", "x-file": "1", "x-general": "1"},
		c.Logs:    {"authorization": "own", "x-file": "1"},
	} {
		h := headers{fixed: signal.Headers, file: file, fixedFirst: signal.OwnHeaders}
		if got, err := h.read(); err != nil || !maps.Equal(got, want) {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
}

// Words are taken in any case; those that are unknown, and numbers that are none, are ignored with a warning.
func TestVariablesAsTheSpecificationHasThem(t *testing.T) {
	for _, tc := range []struct {
		name      string
		settings  Settings
		variables map[string]string
		warned    []string
		right     func(Config) bool
	}{
		{
			"any case",
			Settings{},
			map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": "c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "GRPC", "OTEL_EXPORTER_OTLP_INSECURE": "True",
				"OTEL_EXPORTER_OTLP_COMPRESSION": "GZip", "OTEL_METRICS_EXPORTER": "OTLP", "OTEL_LOGS_EXPORTER": "None",
			},
			nil,
			func(c Config) bool {
				return c.Logs == nil && c.Metrics.Protocol == ProtocolGRPC && c.Metrics.URL.Scheme == "http" && c.Metrics.Gzip
			},
		},
		{
			"several exporters",
			Settings{Endpoint: "http://c"},
			map[string]string{"OTEL_METRICS_EXPORTER": "prometheus, otlp"},
			nil,
			func(c Config) bool { return c.Metrics != nil && c.Logs != nil },
		},
		{
			"a variable against the flag",
			Settings{Endpoint: "http://c"},
			map[string]string{"OTEL_METRICS_EXPORTER": "prometheus"},
			[]string{"OTEL_METRICS_EXPORTER"},
			func(c Config) bool { return c.Metrics == nil && c.Logs != nil },
		},
		{
			"all off against the flag",
			Settings{Endpoint: "http://c"},
			map[string]string{"OTEL_SDK_DISABLED": "true"},
			[]string{"OTEL_SDK_DISABLED"},
			func(c Config) bool { return !c.Enabled() },
		},
		{
			"unknown",
			Settings{Endpoint: "http://c", Protocol: "Grpc"},
			map[string]string{
				"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/json", "OTEL_EXPORTER_OTLP_COMPRESSION": "zstd", "OTEL_METRICS_EXPORTER": "x",
				"OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "2s", "OTEL_METRIC_EXPORT_INTERVAL": "0", "OTEL_SDK_DISABLED": "1", "OTEL_RESOURCE_ATTRIBUTES": "a=b,c", "OTEL_EXPORTER_OTLP_TIMEOUT": "7",
			},
			[]string{
				"OTEL_EXPORTER_OTLP_COMPRESSION", "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
				"OTEL_METRICS_EXPORTER", "OTEL_METRIC_EXPORT_INTERVAL", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_SDK_DISABLED",
			},
			func(c Config) bool {
				return c.Metrics.Protocol == ProtocolGRPC && !c.Metrics.Gzip && c.Logs.Timeout == 7*time.Millisecond &&
					c.Interval == defaultInterval && len(c.Attributes) == 0
			},
		},
		{
			"a long interval",
			Settings{Endpoint: "http://c"},
			map[string]string{"OTEL_METRIC_EXPORT_INTERVAL": "600000"},
			[]string{"OTEL_METRIC_EXPORT_INTERVAL"},
			func(c Config) bool { return c.Interval == maxInterval },
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := Configure(tc.settings, env(tc.variables))
			if err != nil {
				t.Fatal(err)
			}
			var warned []string
			for _, w := range c.Warnings {
				warned = append(warned, w.Name)
			}
			slices.Sort(warned)
			if !slices.Equal(warned, tc.warned) || !tc.right(c) {
				t.Errorf("warned of %q, want %q; %+v", warned, tc.warned, c)
			}
		})
	}
}

// All that is wrong is told at once, by the name under which it was given, and no value of a header is in it.
func TestWhatIsRefused(t *testing.T) {
	const secret = "s3cr3t"
	for _, tc := range []struct {
		name      string
		settings  Settings
		variables map[string]string
		wrong     []string
	}{
		{"no URL", Settings{Endpoint: "collector"}, nil, []string{"otlp.endpoint"}},
		{"a password", Settings{Endpoint: "http://u:" + secret + "@c", NoLogs: true}, nil, []string{"otlp.endpoint"}},
		{"a query", Settings{Endpoint: "http://c/?token=" + secret, NoLogs: true}, nil, []string{"otlp.endpoint"}},
		{"JSON", Settings{Endpoint: "http://c", Protocol: "http/json"}, nil, []string{"otlp.protocol"}},
		{
			"several",
			Settings{Endpoint: "http://c", NoLogs: true, Compression: "zstd", Timeout: -1, CertFile: "/nowhere"},
			map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": secret},
			[]string{"OTEL_EXPORTER_OTLP_HEADERS", "otlp.cert-file", "otlp.cert-file", "otlp.compression", "otlp.timeout"},
		},
		{"no such headers", Settings{Endpoint: "http://c", NoLogs: true, HeadersFile: "/nowhere"}, nil, []string{"otlp.headers-file"}},
		{"no certificate", Settings{Endpoint: "https://c", CAFile: "config_test.go"}, nil, []string{"otlp.ca-file"}},
		{"interval", Settings{Endpoint: "http://c", NoLogs: true, Interval: 5 * time.Minute}, nil, []string{"otlp.interval"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Configure(tc.settings, env(tc.variables))
			var joined interface{ Unwrap() []error }
			if !errors.As(err, &joined) {
				t.Fatalf("no errors: %v", err)
			}
			var names []string
			for _, err := range joined.Unwrap() {
				var wrong *ConfigError
				if errors.As(err, &wrong) {
					names = append(names, wrong.Name)
				}
			}
			slices.Sort(names)
			if !slices.Equal(names, tc.wrong) {
				t.Errorf("wrong are %q, want %q: %v", names, tc.wrong, err)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("it tells a secret: %v", err)
			}
		})
	}
}
