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
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
	} {
		c, err := Configure(Settings{}, env(variables))
		if err != nil || c.Enabled() {
			t.Errorf("%v: enabled %v, %v", variables, c.Enabled(), err)
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
	if sent, err := h.read(); err != nil || sent["Authorization"] != "Bearer a=b:c" || sent["x-scope"] != "1" || sent["x"] != "y" {
		t.Errorf("headers %v, %v", sent, err)
	}
	if c.Metrics.Timeout != 500*time.Millisecond || c.Logs.Timeout != 2500*time.Millisecond || !c.Metrics.Gzip || c.Logs.Gzip || c.Interval != 30*time.Second {
		t.Errorf("metrics %+v, logs %+v, interval %v", c.Metrics, c.Logs, c.Interval)
	}
	got := c.Resource(Identity{Version: "1.2.3", Instance: "host:9464"})
	want := map[string]string{"a": "flag", "service.name": "named", "service.instance.id": "pod,1", "service.version": "1.2.3"}
	if !maps.Equal(got, want) {
		t.Errorf("resource %v, want %v", got, want)
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
		{"JSON", Settings{NoLogs: true}, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, []string{"OTEL_EXPORTER_OTLP_PROTOCOL"}},
		{
			"several",
			Settings{Endpoint: "http://c", NoLogs: true, Compression: "zstd", Timeout: -1, CertFile: "/nowhere"},
			map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": secret, "OTEL_METRIC_EXPORT_INTERVAL": "600000", "OTEL_METRICS_EXPORTER": "console"},
			[]string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_METRICS_EXPORTER", "OTEL_METRIC_EXPORT_INTERVAL", "otlp.cert-file", "otlp.cert-file", "otlp.compression", "otlp.timeout"},
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
