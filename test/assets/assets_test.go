package assets

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-jsonnet"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

func TestMain(m *testing.M) { os.Exit(tools.Main(m)) }

// job has characters that YAML, PromQL and jsonnet have to escape.
const job = `it's "my" job|a\.b #1: c`

// carried is the pattern of jobs that the binary carries.
const carried = `abs|.*abs-exporter.*`

// own are settings of an operator.
var own = []string{"--grafana-url=https://grafana.internal/sub/", "--runbook-url=http://abs-exporter:10464/runbooks/", "--job-pattern=" + job}

// write runs abs-exporter assets, and returns the directory and the files.
func write(t *testing.T, args ...string) (dir string, files []string) {
	t.Helper()
	dir = t.TempDir()
	out, err := exec.Command(tools.Binary(t), append([]string{"assets", "--dir=" + dir}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir, strings.Split(strings.TrimSpace(string(out)), "\n")
}

func unmarshal(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

type group struct {
	Name     string
	Interval string
	Rules    []struct {
		Record, Alert, Expr, For string
		KeepFiringFor            string `yaml:"keep_firing_for" json:"keep_firing_for"`
		Labels, Annotations      map[string]string
	}
}

// checkRules has promtool check rules, and compares what an operator sets.
func checkRules(t *testing.T, files []string) {
	t.Helper()
	args := append([]string{"check", "rules", "--lint=all", "--lint-fatal"}, files...)
	if out, err := exec.Command(tools.Path(t, "promtool"), args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	alerts, jobs, grafana := 0, 0, "" // the pattern: once in ABSExporterDown, three times in ABSExporterAbsent
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), carried) {
			t.Errorf("%s has the carried pattern of jobs still", file)
		}
		var rules struct{ Groups []group }
		unmarshal(t, file, &rules)
		for _, g := range rules.Groups {
			for _, r := range g.Rules {
				jobs += jobMatchers(t, r.Expr)
				if r.Record == "abs:grafana_info" {
					grafana = r.Labels["url"]
				}
				if r.Alert == "" {
					continue
				}
				alerts++
				if want := "http://abs-exporter:10464/runbooks/" + r.Alert + ".md"; r.Annotations["runbook_url"] != want {
					t.Errorf("%s: runbook_url is %s instead of %s", r.Alert, r.Annotations["runbook_url"], want)
				}
			}
		}
	}
	if alerts < 30 || jobs != 4 || grafana != "https://grafana.internal/sub" {
		t.Errorf("%d alerts, %d matchers of jobs, grafana at %s", alerts, jobs, grafana)
	}
}

// jobMatchers counts the matchers with the pattern, and reports others of the scrape's up.
func jobMatchers(t *testing.T, expr string) int {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	found := 0
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if s, ok := node.(*parser.VectorSelector); ok && s.Name == "up" {
			if slices.ContainsFunc(s.LabelMatchers, func(m *labels.Matcher) bool { return m.Name == "job" && m.Value == job }) {
				found++
			} else {
				t.Errorf("%s does not have the operator's pattern", s)
			}
		}
		return nil
	})
	return found
}

func withSuffix(files []string, suffix string) []string {
	return slices.DeleteFunc(slices.Clone(files), func(f string) bool { return !strings.HasSuffix(f, suffix) })
}

// Prometheus loads the rules with an operator's settings.
func TestFiles(t *testing.T) {
	_, files := write(t, own...)
	checkRules(t, withSuffix(files, ".rules.yml"))
	if runbooks := withSuffix(files, ".md"); len(runbooks) < 30 {
		t.Errorf("the runbooks are %q", runbooks)
	}
}

// What the Prometheus operator hands to Prometheus is the spec of each object.
func TestPrometheusRules(t *testing.T) {
	_, files := write(t, append(own, "--format=prometheusrule", "--label=release=monitoring")...)
	dir := t.TempDir()
	var specs []string
	for _, file := range files {
		var object struct {
			APIVersion string `yaml:"apiVersion"`
			Kind       string
			Metadata   struct{ Labels map[string]string }
			Spec       yaml.Node
		}
		unmarshal(t, file, &object)
		if object.APIVersion != "monitoring.coreos.com/v1" || object.Kind != "PrometheusRule" || object.Metadata.Labels["release"] != "monitoring" {
			t.Errorf("%s is %+v", file, object)
		}
		text, err := yaml.Marshal(&object.Spec)
		if err != nil {
			t.Fatal(err)
		}
		spec := filepath.Join(dir, filepath.Base(file))
		if err := os.WriteFile(spec, text, 0o600); err != nil {
			t.Fatal(err)
		}
		specs = append(specs, spec)
	}
	checkRules(t, specs)
}

// The library has what the files have, and its own settings.
func TestMixin(t *testing.T) {
	_, files := write(t, own...)
	var want []group
	for _, file := range withSuffix(files, ".rules.yml") {
		var rules struct{ Groups []group }
		unmarshal(t, file, &rules)
		want = append(want, rules.Groups...)
	}
	dir, _ := write(t, append(own, "--format=mixin")...)
	plain, _ := write(t, "--format=mixin")
	// The settings of the flags, and the same by _config.
	config := `{ _config+:: { grafanaUrl: 'https://grafana.internal/sub', runbookUrl: 'http://abs-exporter:10464/runbooks', jobPattern: 'it\'s "my" job|a\\.b #1: c' } }`
	for _, library := range []string{
		`(import '` + filepath.ToSlash(dir) + `/mixin/mixin.libsonnet')`,
		`(import '` + filepath.ToSlash(plain) + `/mixin/mixin.libsonnet') + ` + config,
	} {
		text, err := jsonnet.MakeVM().EvaluateAnonymousSnippet("mixin.jsonnet", `local abs = `+library+`; {
			alerts: abs.prometheusAlerts, rules: abs.prometheusRules, dashboards: abs.grafanaDashboards, folder: abs.grafanaDashboardFolder }`)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Alerts, Rules struct{ Groups []group }
			Dashboards    map[string]any
			Folder        string
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Rules.Groups) == 0 || got.Folder != "ABS" {
			t.Errorf("%d groups of recording rules, folder %s", len(got.Rules.Groups), got.Folder)
		}
		byName := func(a, b group) int { return strings.Compare(a.Name, b.Name) }
		groups := append(got.Alerts.Groups, got.Rules.Groups...)
		slices.SortFunc(groups, byName)
		slices.SortFunc(want, byName)
		if !reflect.DeepEqual(groups, want) {
			t.Errorf("the groups of %s are not those of the files:\n%+v\n%+v", library, groups, want)
		}
		boards := withSuffix(files, ".json")
		for _, file := range boards {
			var board any
			unmarshal(t, file, &board)
			board = throughJSON(t, board)
			if !reflect.DeepEqual(got.Dashboards[filepath.Base(file)], board) {
				t.Errorf("%s differs", file)
			}
		}
		if len(got.Dashboards) != len(boards) || len(boards) == 0 {
			t.Errorf("%d dashboards of %d", len(got.Dashboards), len(boards))
		}
	}
}

// throughJSON has the types that a decoded JSON has.
func throughJSON(t *testing.T, v any) (decoded any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

// What is no address, pattern or label is refused before anything is written.
func TestRefusedSettings(t *testing.T) {
	for flag, want := range map[string]string{
		"--grafana-url=grafana.internal":                 "--grafana-url: must be a URL that begins with http:// or https:// and a host",
		"--grafana-url=https://me:secret@grafana":        "--grafana-url: must have no user and no password",
		"--runbook-url=https://wiki/?page=":              "--runbook-url: must be an address that a path can be appended to",
		"--runbook-url=https://wiki/{{ .Labels.alert }}": "--runbook-url: must be an address that a path can be appended to",
		"--job-pattern=(":                                "--job-pattern: error parsing regexp",
		"--job-pattern=":                                 "--job-pattern: is empty",
		"--label=release=monitoring":                     "--label: is for --format=prometheusrule and configmap",
		"--format=helm":                                  "--format must be one of",
	} {
		dir := filepath.Join(t.TempDir(), "assets")
		out, err := exec.Command(tools.Binary(t), "assets", "--dir="+dir, flag).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v: %s; want %s", flag, err, out, want)
		}
		if strings.Contains(string(out), "secret") {
			t.Errorf("%s: the password is printed: %s", flag, out)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: something was written", flag)
		}
	}
	out, err := exec.Command(tools.Binary(t), "assets", "--dir="+t.TempDir(), "--format=configmap", "--label=a b=c").CombinedOutput()
	if err == nil || !strings.Contains(string(out), `"a b=c" is no label of Kubernetes`) {
		t.Errorf("%v: %s", err, out)
	}
}
