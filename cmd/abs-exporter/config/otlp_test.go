package config

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/configfile"
)

// A flag replaces the general variable, and the variable of a signal precedes both. What is wrong
// with a flag is an error under its name, and with a variable mostly a warning.
func TestOTLPFlagsAndVariables(t *testing.T) {
	cleanOTELEnv(t)
	f := OTLP{Metrics: true, Logs: true, BatchSize: 10, Endpoint: "http://flag:1", Timeout: 2 * time.Second, Interval: 30 * time.Second}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://general:1")
	t.Setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://own:1/x")
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")
	c, all := f.Config()
	if len(all) > 0 || c.Metrics.Target != "http://flag:1/v1/metrics" || c.Logs.Target != "http://own:1/x" ||
		c.Metrics.Timeout != 2*time.Second || c.Interval != 30*time.Second || c.BatchSize != 10 {
		t.Errorf("%+v, metrics %+v, logs %+v, %v", c, c.Metrics, c.Logs, all)
	}
	f.Logs = false
	if c, _ := f.Config(); c.Logs != nil {
		t.Error("logs are pushed although a flag says no")
	}
	for name, change := range map[string]func(*OTLP){
		"otlp.endpoint":     func(f *OTLP) { f.Endpoint = "collector" },
		"otlp.protocol":     func(f *OTLP) { f.Protocol = "http/json" },
		"otlp.compression":  func(f *OTLP) { f.Compression = "zstd" },
		"otlp.timeout":      func(f *OTLP) { f.Timeout = -time.Second },
		"otlp.interval":     func(f *OTLP) { f.Interval = 5 * time.Minute },
		"otlp.batch-size":   func(f *OTLP) { f.BatchSize = 0 },
		"otlp.headers-file": func(f *OTLP) { f.HeadersFile = "/nowhere" },
		"otlp.ca-file":      func(f *OTLP) { f.CAFile = "/nowhere" },
		"otlp.cert-file":    func(f *OTLP) { f.CertFile = "/nowhere" },
	} {
		wrong := f
		change(&wrong)
		v := validation{origins: origins{file: &configfile.File{}}}
		wrong.validate(&v)
		if len(v.errs) != 1 || !strings.Contains(v.errs[0].Error(), name) {
			t.Errorf("%s: %v", name, v.errs)
		}
	}
	t.Setenv("OTEL_SDK_DISABLED", "true")
	if c, all := f.Config(); c.Enabled() || len(all) != 1 || !all[0].Warning {
		t.Errorf("disabled by a variable: %+v", all)
	}
}

func cleanOTELEnv(t *testing.T) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "") // empty counts as not set
		}
	}
}
