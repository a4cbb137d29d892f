package alerts

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/test/tools"
)

// rulesFaster and routesFaster are how many times faster the stack runs than with the shipped
// files: all durations of the rules, the thresholds that are seconds, and Alertmanager's three are
// divided by them, and nothing else of the files is changed but the receivers. There are two
// numbers because a group_interval of seconds would be too short to notice a second message within
// it.
const (
	rulesFaster  = 60
	routesFaster = 15
)

// patience is how long a test waits. Only a test that fails uses it up.
const patience = 4 * time.Minute

// startABS serves a simulated ABS and returns its entry in the list of targets.
func startABS(t *testing.T, name string, sim *simulator.Simulator) (server *httptest.Server, entry map[string]any) {
	t.Helper()
	server = httptest.NewTLSServer(sim.Handler())
	t.Cleanup(server.Close)
	sum := sha256.Sum256(server.Certificate().Raw)
	dir := t.TempDir()
	for file, key := range map[string]string{"access": "abs_ak", "secret": "abs_sk"} {
		write(t, filepath.Join(dir, file), key)
	}
	return server, map[string]any{
		"name": name, "url": server.URL,
		"access-key-file": filepath.Join(dir, "access"), "secret-key-file": filepath.Join(dir, "secret"),
		"tls": map[string]any{"fingerprint": hex.EncodeToString(sum[:])},
	}
}

// exporter is an abs-exporter that serves until it is killed.
type exporter struct {
	binary, config, address, log string
	kill                         func()
}

// startExporter runs serve.
func startExporter(t *testing.T, address string, settings map[string]any) exporter {
	t.Helper()
	binary := tools.Binary(t)
	config := filepath.Join(t.TempDir(), "abs-exporter.yml")
	writeYAML(t, config, settings)
	log, kill := tools.StartProcess(t, patience, "http://"+address+"/readyz", binary, "serve", "--config="+config, "--web.listen-address="+address)
	return exporter{binary, config, address, log, kill}
}

// startAlertmanager runs the pinned Alertmanager on the example, with all receivers being the
// webhook.
func startAlertmanager(t *testing.T, webhook string) string {
	t.Helper()
	var config map[string]any
	read(t, filepath.Join(tools.Root(t), "alerts", "alertmanager.yml"), &config)
	delete(config, "global") // the mail server
	delete(config, "templates")
	for _, r := range config["receivers"].([]any) {
		receiver := r.(map[string]any)
		for key := range receiver {
			if key != "name" {
				delete(receiver, key)
			}
		}
		receiver["webhook_configs"] = []any{map[string]any{"url": webhook + "/" + receiver["name"].(string), "send_resolved": true}}
	}
	faster(t, config["route"].(map[string]any))
	file := filepath.Join(t.TempDir(), "alertmanager.yml")
	writeYAML(t, file, config)
	address := tools.FreeAddress(t)
	tools.Start(t, patience, "http://"+address+"/-/ready", tools.Path(t, "alertmanager"), "--config.file="+file, "--storage.path="+t.TempDir(),
		"--web.listen-address="+address, "--cluster.listen-address=", "--log.level=warn")
	return address
}

func faster(t *testing.T, route map[string]any) {
	for _, key := range []string{"group_wait", "group_interval", "repeat_interval"} {
		if text, ok := route[key].(string); ok {
			route[key] = divide(t, text, routesFaster)
		}
	}
	children, _ := route["routes"].([]any)
	for _, child := range children {
		faster(t, child.(map[string]any))
	}
}

// startPrometheus runs the pinned Prometheus with our rules; without an exporter to scrape, it only
// receives pushes. An exporter is to answer before it is scraped: ABSExporterDown waits for seconds
// here, which a machine may take to build or to start it.
func startPrometheus(t *testing.T, exporter, alertmanager string) *prometheus {
	t.Helper()
	if exporter != "" {
		if _, err := fetch("http://" + exporter + "/readyz"); err != nil {
			t.Fatalf("the exporter is to answer before Prometheus scrapes it: %v", err)
		}
	}
	dir := t.TempDir()
	for _, file := range glob(t, "alerts", "*.rules.yml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, filepath.Base(file)), fasterRules(t, string(text)))
	}
	targets := []string{}
	if exporter != "" {
		targets = append(targets, exporter)
	}
	writeYAML(t, filepath.Join(dir, "prometheus.yml"), map[string]any{
		"global":     map[string]any{"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
		"rule_files": []string{"*.rules.yml"},
		"alerting": map[string]any{"alertmanagers": []any{
			map[string]any{"static_configs": []any{map[string]any{"targets": []string{alertmanager}}}},
		}},
		"scrape_configs": []any{
			map[string]any{"job_name": "abs", "static_configs": []any{map[string]any{"targets": targets}}},
		},
	})
	address := tools.FreeAddress(t)
	tools.Start(t, patience, "http://"+address+"/-/ready", tools.Path(t, "prometheus"), "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--web.enable-otlp-receiver",
		"--log.level=warn")
	return &prometheus{t, "http://" + address}
}

var (
	setting  = regexp.MustCompile(`(?m)^(\s+(?:for|keep_firing_for|interval): )(\w+)$`)
	inExpr   = regexp.MustCompile(`(\[|offset |:)(\d+[smhd])\b`)
	inConfig = regexp.MustCompile(`(_seconds\n\s+expr: vector\()(\d+)`)
)

func fasterRules(t *testing.T, text string) string {
	text = setting.ReplaceAllStringFunc(text, func(m string) string {
		parts := setting.FindStringSubmatch(m)
		return parts[1] + divide(t, parts[2], rulesFaster)
	})
	text = inExpr.ReplaceAllStringFunc(text, func(m string) string {
		parts := inExpr.FindStringSubmatch(m)
		return parts[1] + divide(t, parts[2], rulesFaster)
	})
	return inConfig.ReplaceAllStringFunc(text, func(m string) string {
		parts := inConfig.FindStringSubmatch(m)
		seconds, err := strconv.Atoi(parts[2])
		if err != nil {
			t.Fatal(err)
		}
		return parts[1] + strconv.Itoa(seconds/rulesFaster)
	})
}

func divide(t *testing.T, text string, by time.Duration) string {
	d, err := time.ParseDuration(strings.Replace(text, "d", "h", 1))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if strings.HasSuffix(text, "d") {
		d *= 24
	}
	return strconv.FormatInt((d/by).Milliseconds(), 10) + "ms"
}

type prometheus struct {
	t   *testing.T
	url string
}

type sample struct {
	Metric map[string]string  `json:"metric"`
	Value  [2]json.RawMessage `json:"value"`
}

// query returns the result of an instant query now.
func (p *prometheus) query(expr string) []sample {
	p.t.Helper()
	var body struct {
		Data struct {
			Result []sample `json:"result"`
		} `json:"data"`
	}
	p.get("/api/v1/query?query="+url.QueryEscape(expr), &body)
	return body.Data.Result
}

// alert is an alert as Prometheus returns it.
type alert struct {
	Labels   map[string]string `json:"labels"`
	State    string            `json:"state"`
	ActiveAt time.Time         `json:"activeAt"`
}

func (p *prometheus) firing(target string) map[string]alert {
	p.t.Helper()
	var body struct {
		Data struct {
			Alerts []alert `json:"alerts"`
		} `json:"data"`
	}
	p.get("/api/v1/alerts", &body)
	all := map[string]alert{}
	for _, a := range body.Data.Alerts {
		if a.State == "firing" && a.Labels["target"] == target {
			all[a.Labels["alertname"]] = a
		}
	}
	return all
}

func (p *prometheus) get(path string, into any) {
	p.t.Helper()
	text, err := fetch(p.url + path)
	if err != nil {
		p.t.Fatalf("Prometheus: %s: %v", path, err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		p.t.Fatalf("Prometheus: %s: %v", path, err)
	}
}

// message is what Alertmanager sends to a webhook.
type message struct {
	Receiver string    `json:"receiver"`
	Status   string    `json:"status"`
	Alerts   []notice  `json:"alerts"`
	At       time.Time `json:"-"`
	Text     []byte    `json:"-"`
}

type notice struct {
	Status      string            `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
}

// inbox keeps the messages of a webhook.
type inbox struct {
	mu       sync.Mutex
	messages []message
}

func startInbox(t *testing.T) (*inbox, string) {
	in := &inbox{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		m := message{At: time.Now(), Text: text}
		if err = errors.Join(err, json.Unmarshal(text, &m)); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		in.mu.Lock()
		defer in.mu.Unlock()
		in.messages = append(in.messages, m)
	}))
	t.Cleanup(server.Close)
	return in, server.URL
}

// about returns the messages about a target, oldest first.
func (in *inbox) about(target string) []message {
	in.mu.Lock()
	defer in.mu.Unlock()
	var out []message
	for _, m := range in.messages {
		if len(m.Alerts) > 0 && m.Alerts[0].Labels["target"] == target {
			out = append(out, m)
		}
	}
	return out
}

var client = &http.Client{Timeout: 10 * time.Second}

func fetch(address string) ([]byte, error) {
	resp, err := client.Get(address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // only read from
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", resp.Status, text)
	}
	return text, nil
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tools.Until(t, patience, what, done)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func writeYAML(t *testing.T, file string, content any) {
	t.Helper()
	text, err := yaml.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, string(text))
}
