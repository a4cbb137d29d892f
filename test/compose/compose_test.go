package compose

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

const patience = 120 * time.Second

var update = flag.Bool("update", false, "write compose/alertmanager.yml")

func TestMain(m *testing.M) { os.Exit(tools.Main(m)) }

// service is what the tests need of a service.
type service struct {
	Image       string
	Build       struct{ Context string }
	Command     []string
	Ports       []string
	Volumes     []string
	Environment map[string]string
}

func path(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(tools.Root(t), "compose", name)
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func services(t *testing.T) map[string]service {
	t.Helper()
	var compose struct {
		Services map[string]service
		Volumes  map[string]any
	}
	if err := yaml.Unmarshal([]byte(read(t, "compose.yaml")), &compose); err != nil {
		t.Fatal(err)
	}
	if len(compose.Services) < 6 {
		t.Fatalf("services: %v", compose.Services)
	}
	return compose.Services
}

// Each file that a service mounts exists, is one that a test checks or runs, and is where the
// command, the environment or another file expects it.
func TestMounts(t *testing.T) {
	checked := map[string]string{
		"./collector.yml":           "TestRuns", // each is run here
		"./prometheus.yml":          "TestRuns",
		"./alertmanager.yml":        "TestRuns",
		"../alerts":                 "TestRuns",
		"../dashboards":             "make test-grafana, and TestGrafana",
		"./grafana/datasources.yml": "TestGrafana",
		"./grafana/dashboards.yml":  "TestGrafana",
	}
	var mounted []string
	for name, s := range services(t) {
		for _, v := range s.Volumes {
			source, target, _ := strings.Cut(v, ":")
			if !strings.HasPrefix(source, ".") {
				continue // a volume
			}
			target, isReadOnly := strings.CutSuffix(target, ":ro")
			if !isReadOnly {
				t.Errorf("%s: %s can be written", name, source)
			}
			if _, err := os.Stat(path(t, source)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if checked[source] == "" {
				t.Errorf("%s: no test checks %s", name, source)
			}
			mounted = append(mounted, source)
			known := strings.Join(s.Command, " ") + fmt.Sprint(s.Environment) + read(t, "prometheus.yml") + read(t, "grafana/dashboards.yml") +
				"/etc/grafana/provisioning/datasources /etc/grafana/provisioning/dashboards"
			if !strings.Contains(known, target) && !strings.Contains(known, filepath.Dir(target)) && !strings.Contains(known, filepath.Base(target)+"/") {
				t.Errorf("%s: nothing reads %s", name, target)
			}
		}
	}
	if len(mounted) != len(checked) {
		t.Errorf("mounted: %q; checked: %d", mounted, len(checked))
	}
}

// A port that is published is one that the service listens on, and only on this machine. Whatever
// names host and port names a service and its port.
func TestAddresses(t *testing.T) {
	all := services(t)
	listens := map[string]string{"collector": "4318", "loki": "3100", "grafana": "3000"} // Loki's and Grafana's are those of their images
	for name, s := range all {
		for _, arg := range s.Command {
			if _, port, ok := strings.Cut(arg, "--web.listen-address=:"); ok {
				listens[name] = port
			}
		}
		for _, p := range s.Ports {
			if want := "127.0.0.1:" + listens[name] + ":" + listens[name]; p != want {
				t.Errorf("%s publishes %s, want %s", name, p, want)
			}
		}
	}
	if !strings.Contains(read(t, "collector.yml"), "endpoint: 0.0.0.0:"+listens["collector"]) {
		t.Errorf("the Collector does not listen on port %s", listens["collector"])
	}
	addresses := regexp.MustCompile(`\b([a-z][a-z-]+):(\d{4,5})\b`)
	found := 0
	for _, file := range []string{"prometheus.yml", "collector.yml", "grafana/datasources.yml", "compose.yaml"} {
		for _, a := range addresses.FindAllStringSubmatch(read(t, file), -1) {
			found++
			if _, ok := all[a[1]]; !ok || listens[a[1]] != a[2] {
				t.Errorf("%s: no service listens on %s", file, a[0])
			}
		}
	}
	if found < 7 {
		t.Errorf("%d addresses", found)
	}
}

// What the tests run is what the images contain.
func TestVersions(t *testing.T) {
	for name, pin := range map[string]struct{ file, version, image string }{
		"prometheus":   {"tools/prometheus/go.mod", `github.com/prometheus/prometheus v0\.(\d)(\d\d)\.(\d+)`, "prom/prometheus:v$1.$2.$3"},
		"alertmanager": {"tools/alertmanager/go.mod", `github.com/prometheus/alertmanager (v\S+)`, "prom/alertmanager:$1"},
		"collector":    {"tools/otelcol/builder.yaml", `\n  version: (\S+)`, "otel/opentelemetry-collector:$1"},
	} {
		text := read(t, "../"+pin.file)
		re := regexp.MustCompile(pin.version)
		if want := re.ReplaceAllString(re.FindString(text), pin.image); services(t)[name].Image != want {
			t.Errorf("%s is the image %s, the tests run %s", name, services(t)[name].Image, want)
		}
	}
}

// Grafana gets a data source of each kind that the dashboards ask for, and the dashboards.
func TestGrafana(t *testing.T) {
	var provisioned struct {
		Datasources []struct {
			Type      string
			IsDefault bool `yaml:"isDefault"`
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "grafana/datasources.yml")), &provisioned); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	for _, d := range provisioned.Datasources {
		kinds[d.Type] = kinds[d.Type] || d.IsDefault
	}
	if !kinds["prometheus"] {
		t.Error("Prometheus is not the default, which the variable of the dashboards selects")
	}
	dashboards, err := filepath.Glob(path(t, "../dashboards/*.json"))
	if err != nil || len(dashboards) < 5 {
		t.Fatalf("%q, %v", dashboards, err)
	}
	for _, name := range dashboards {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var board struct {
			Templating struct {
				List []struct {
					Type  string
					Query any
				}
			}
		}
		if err := json.Unmarshal(text, &board); err != nil {
			t.Fatal(err)
		}
		for _, v := range board.Templating.List {
			if _, ok := kinds[fmt.Sprint(v.Query)]; v.Type == "datasource" && !ok {
				t.Errorf("%s needs a data source %v", filepath.Base(name), v.Query)
			}
		}
	}
	home := services(t)["grafana"].Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
	if !slices.Contains(dashboards, path(t, "../dashboards/"+filepath.Base(home))) {
		t.Errorf("there is no dashboard %s", home)
	}
	if !strings.HasPrefix(home, "/var/lib/grafana/dashboards/") || !strings.Contains(read(t, "grafana/dashboards.yml"), "path: /var/lib/grafana/dashboards\n") {
		t.Error("Grafana looks for dashboards elsewhere")
	}
}

// compose/alertmanager.yml is the example with receivers that notify nobody: a laptop has no pager,
// and the page of Alertmanager shows what would be sent to whom.
func TestAlertmanagerIsTheExample(t *testing.T) {
	example, err := os.ReadFile(filepath.Join(tools.Root(t), "alerts", "alertmanager.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := yaml.Unmarshal(example, &config); err != nil {
		t.Fatal(err)
	}
	var silent []map[string]any
	for _, r := range config["receivers"].([]any) {
		silent = append(silent, map[string]any{"name": r.(map[string]any)["name"]})
	}
	config["route"].(map[string]any)["group_wait"] = "5s"
	config["route"].(map[string]any)["group_interval"] = "30s"
	var b strings.Builder
	b.WriteString("# Made from alerts/alertmanager.yml, with receivers that notify nobody, by:\n# go test ./compose -run Alertmanager -update, in test/\n")
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(map[string]any{"route": config["route"], "inhibit_rules": config["inhibit_rules"], "receivers": silent}); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path(t, "alertmanager.yml"), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, "alertmanager.yml"); got != b.String() {
		t.Errorf("compose/alertmanager.yml is not the example of today; write it by -update:\n%s", b.String())
	}
	if out, err := exec.Command(tools.Path(t, "amtool"), "check-config", path(t, "alertmanager.yml")).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The services run natively, by the commands and the files of compose/, but on free ports of
// loopback: Prometheus scrapes the exporter, evaluates the rules and knows its Alertmanager, and an
// event goes through the Collector to where Loki would be.
func TestRuns(t *testing.T) {
	all := services(t)
	dir := t.TempDir()
	replaced := strings.NewReplacer(
		"abs-exporter:10464", tools.FreeAddress(t), "alertmanager:9093", tools.FreeAddress(t),
		"/etc/prometheus/prometheus.yml", filepath.Join(dir, "prometheus.yml"), "rules/*", path(t, "../alerts/*"),
		"/etc/alertmanager/alertmanager.yml", path(t, "alertmanager.yml"), "/etc/otelcol/collector.yml", filepath.Join(dir, "collector.yml"),
		"0.0.0.0:4318", tools.FreeAddress(t), "/data", filepath.Join(dir, "state"),
	)
	collector := replaced.Replace("0.0.0.0:4318")
	records := make(chan string, 100)
	loki := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // what is in it, the tests of OTLP check
		select {
		case records <- r.Method + " " + r.URL.Path:
		default:
		}
	}))
	t.Cleanup(loki.Close)
	for _, name := range []string{"prometheus.yml", "collector.yml"} {
		text := strings.ReplaceAll(replaced.Replace(read(t, name)), "http://loki:3100", loki.URL)
		if name == "collector.yml" {
			text = strings.Replace(text, "service:\n", "service:\n  telemetry: {metrics: {level: none}}\n", 1) // port 8888 may be in use
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	prometheus, alertmanager, exporter := tools.FreeAddress(t), replaced.Replace("alertmanager:9093"), replaced.Replace("abs-exporter:10464")
	args := func(name, address string, more ...string) []string {
		args := slices.Clone(all[name].Command)
		for i, arg := range args {
			if strings.HasPrefix(arg, "--web.listen-address=") {
				arg = "--web.listen-address=" + address
			}
			args[i] = strings.ReplaceAll(replaced.Replace(arg), "collector:4318", collector)
		}
		return append(args, more...)
	}
	tools.Start(t, patience, "http://"+alertmanager+"/-/ready", tools.Path(t, "alertmanager"),
		args("alertmanager", alertmanager, "--storage.path="+filepath.Join(dir, "am"), "--cluster.listen-address=")...)
	// No page of it answers with 200. The exporter repeats what it refuses until it listens.
	otelcol := exec.CommandContext(t.Context(), tools.Path(t, "otelcol"), args("collector", "")...)
	var log strings.Builder
	otelcol.Stderr = &log
	if err := otelcol.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = otelcol.Wait() // it was killed
		if t.Failed() {
			t.Log(log.String())
		}
	})
	tools.Start(t, patience, "http://"+exporter+"/healthz", tools.Binary(t), args("abs-exporter", exporter, "--simulate.attack-every=10s")...)
	tools.Start(t, patience, "http://"+prometheus+"/-/ready", tools.Path(t, "prometheus"),
		args("prometheus", prometheus, "--storage.tsdb.path="+filepath.Join(dir, "prometheus"))...)

	tools.Until(t, patience, "Prometheus scrapes the exporter", func() bool {
		return strings.Contains(tools.Get(t, "http://"+prometheus+"/api/v1/query?query="+url.QueryEscape(`abs_up{job="abs-exporter"} == 1`)), `"value"`)
	})
	tools.Until(t, patience, "an alert is in Alertmanager", func() bool {
		return strings.Contains(tools.Get(t, "http://"+alertmanager+"/api/v2/alerts"), "ABSWatchdog")
	})
	select {
	case got := <-records:
		if got != "POST /otlp/v1/logs" {
			t.Errorf("Loki got %s", got)
		}
	case <-time.After(patience):
		t.Error("no event reached Loki")
	}
}
