package otlp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

// patience is how long a test waits for what should come at once.
const patience = 60 * time.Second

// until asks again and again: the answer is another process's.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for limit := time.After(patience); !done(); {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-limit:
			t.Fatalf("%s: not after %v", what, patience)
		}
	}
}

// lookback is for how long a receiver shows a series of which nothing comes any more; five
// minutes by default.
const lookback = 8 * time.Second

// output is what a process writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// run starts a program and ends it with the test.
func run(t *testing.T, out io.Writer, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(tools.Path(t, name), args...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(cmd) })
	return cmd
}

func kill(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func ok(address string) bool {
	resp, err := http.DefaultClient.Get(address)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// otelcol is the pinned OpenTelemetry Collector: OTLP in by both protocols, Prometheus
// and its debug exporter out.
type otelcol struct {
	cmd              *exec.Cmd
	config           string
	out              *output
	grpc, http, page string // addresses
}

func startCollector(t *testing.T) *otelcol {
	t.Helper()
	c := &otelcol{out: &output{}, grpc: tools.FreeAddress(t), http: tools.FreeAddress(t), page: tools.FreeAddress(t)}
	c.config = write(t, "collector.yaml", fmt.Sprintf(`
receivers:
  otlp:
    protocols:
      grpc: {endpoint: %q}
      http: {endpoint: %q}
exporters:
  prometheus:
    endpoint: %q
    without_scope_info: true
    metric_expiration: %s
  debug: {verbosity: detailed, use_internal_logger: false}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [otlp], exporters: [prometheus, debug]}
    logs: {receivers: [otlp], exporters: [debug]}
`, c.grpc, c.http, c.page, lookback))
	c.start(t)
	return c
}

func (c *otelcol) start(t *testing.T) {
	t.Helper()
	c.cmd = run(t, c.out, "otelcol", "--config", c.config)
	until(t, "the Collector listens", func() bool { return ok("http://" + c.page + "/metrics") })
}

// prometheus is the pinned Prometheus, with its OTLP receiver, and with start times
// stored as zeros so that they can be read.
type prometheus struct{ url string }

func startPrometheus(t *testing.T, scrape string) *prometheus {
	t.Helper()
	address, dir := tools.FreeAddress(t), t.TempDir()
	config := write(t, "prometheus.yml", "global: {scrape_interval: 1s}\nscrape_configs:\n"+scrape)
	run(t, &output{}, "prometheus", "--config.file="+config, "--storage.tsdb.path="+dir, "--web.listen-address="+address,
		"--web.enable-otlp-receiver", "--query.lookback-delta="+lookback.String(), "--enable-feature=created-timestamp-zero-ingestion", "--log.level=warn")
	until(t, "Prometheus listens", func() bool { return ok("http://" + address + "/-/ready") })
	return &prometheus{"http://" + address}
}

// query asks the API, and decodes its result.
func (p *prometheus) query(t *testing.T, expr string, result any) {
	t.Helper()
	resp, err := http.DefaultClient.PostForm(p.url+"/api/v1/query", url.Values{"query": {expr}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct {
			Result json.RawMessage `json:"result"`
		} `json:"data"`
		Error string `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Error != "" {
		t.Fatalf("%s: %v %s", expr, err, answer.Error)
	}
	if err := json.Unmarshal(answer.Data.Result, result); err != nil {
		t.Fatal(err)
	}
}

// stored is a series as Prometheus has it.
type stored struct {
	value float64
	start model.Time // 0: none was stored
}

// series are the abs_* series of one way in, without the label that names the way.
func (p *prometheus) series(t *testing.T, via string) map[string]stored {
	t.Helper()
	var now model.Vector
	selector := fmt.Sprintf(`{__name__=~"abs_.*",via=%q}`, via)
	p.query(t, selector, &now)
	var all model.Matrix
	p.query(t, selector+"[1h]", &all)
	name := func(m model.Metric) string {
		for _, l := range []model.LabelName{"via", "job", "instance", "exported_job", "exported_instance"} {
			delete(m, l)
		}
		// Prometheus writes a whole bound as 1.0 when it scrapes and as 1 when it is pushed.
		if le, err := strconv.ParseFloat(string(m[model.BucketLabel]), 64); err == nil {
			m[model.BucketLabel] = model.LabelValue(fmt.Sprint(le))
		}
		return m.String()
	}
	found := map[string]stored{}
	for _, s := range now {
		found[name(s.Metric)] = stored{value: float64(s.Value)}
	}
	for _, s := range all {
		key, family := name(s.Metric), string(s.Metric[model.MetricNameLabel])
		if !cumulative(family) {
			continue // a gauge may well be 0
		}
		if one, ok := found[key]; ok && len(s.Values) > 0 && s.Values[0].Value == 0 {
			one.start = s.Values[0].Timestamp
			found[key] = one
		}
	}
	return found
}

func cumulative(name string) bool {
	return slices.ContainsFunc([]string{"_total", "_bucket", "_count", "_sum"}, func(suffix string) bool {
		return strings.HasSuffix(name, suffix)
	})
}
