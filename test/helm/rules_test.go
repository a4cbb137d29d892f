package helm

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// ruleFile is a file of rules, or the spec of a PrometheusRule.
type ruleFile struct {
	Groups []struct {
		Name  string `json:"name"`
		Rules []rule `json:"rules"`
	} `json:"groups"`
}

type rule struct {
	Alert       string            `json:"alert"`
	Record      string            `json:"record"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// rendered returns the specs of a release's PrometheusRules by the name of their file, as YAML.
func renderedRules(t *testing.T, values ...string) (specs map[string]string, rules []rule) {
	t.Helper()
	specs = map[string]string{}
	for _, o := range render(t, values...).all("PrometheusRule") {
		var parsed struct {
			Spec json.RawMessage `json:"spec"`
		}
		if err := yaml.Unmarshal(o.text, &parsed); err != nil {
			t.Fatal(err)
		}
		specs[strings.TrimPrefix(o.Metadata.Name, "rel-abs-exporter-")+".rules.yml"] = string(parsed.Spec)
		var f ruleFile
		if err := json.Unmarshal(parsed.Spec, &f); err != nil {
			t.Fatal(err)
		}
		for _, g := range f.Groups {
			rules = append(rules, g.Rules...)
		}
	}
	return specs, rules
}

// tool returns the path of a pinned program.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(top, ".tools", "bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: make tools", err)
	}
	return path
}

// checkRules lets promtool check files of rules as the repository's own are checked.
func checkRules(t *testing.T, specs map[string]string) {
	t.Helper()
	args, dir := []string{"check", "rules", "--lint=all", "--lint-fatal"}, t.TempDir()
	for name, text := range specs {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	if out, err := exec.Command(tool(t, "promtool"), args...).CombinedOutput(); err != nil {
		t.Errorf("promtool check rules: %v\n%s", err, out)
	}
}

// Without settings, the PrometheusRules are the repository's rules, templates included: only the
// expected targets are those of the release.
func TestRulesAreTheRepositorys(t *testing.T) {
	specs, _ := renderedRules(t, valuesFile(t, "minimal"), "prometheusRule: {enabled: true}")
	checkRules(t, specs)
	files, err := filepath.Glob(filepath.Join(top, "alerts", "*.rules.yml"))
	if err != nil || len(files) != len(specs) {
		t.Fatalf("%d objects for %d files, %v", len(specs), len(files), err)
	}
	for _, file := range files {
		var want, got any
		if err := yaml.Unmarshal([]byte(readFile(t, file)), &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(specs[filepath.Base(file)]), &got); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		w, g := inlineJSON(t, want), inlineJSON(t, got)
		expected := regexp.MustCompile(`("expr":)"[^"]*label_replace(?:[^"\\]|\\.)*("[^}]*"record":"abs:expected_target")`)
		if w, g = expected.ReplaceAllString(w, "$1$2"), expected.ReplaceAllString(g, "$1$2"); w != g {
			t.Errorf("%s differs:\nwant %s\ngot  %s", file, w, g)
		}
	}
}

// Thresholds, addresses, job pattern, labels and the list of alerts to leave out take effect.
func TestRuleSettings(t *testing.T) {
	specs, rules := renderedRules(t, valuesFile(t, "full"))
	checkRules(t, specs)
	exprs, named := map[string]string{}, map[string]bool{}
	for _, r := range rules {
		if r.Record != "" {
			exprs[r.Record] = strings.Join(strings.Fields(r.Expr), " ")
			continue
		}
		named[r.Alert] = true
		if r.Labels["cluster"] != "one" || r.Labels["severity"] == "" || r.Labels["namespace"] != "monitoring" {
			t.Errorf("%s has the labels %v", r.Alert, r.Labels)
		}
		if url := r.Annotations["runbook_url"]; url != "https://runbooks.internal/abs/"+r.Alert+".md" {
			t.Errorf("%s has the runbook %s", r.Alert, url)
		}
	}
	for record, want := range map[string]string{
		"abs:threshold_unreachable_seconds":     "vector(900)",
		"abs:threshold_flagged_ratio":           "vector(0.02)",
		"abs:threshold_license_warning_seconds": "vector(5184000)",
		"abs:threshold_spreading_tokens":        "vector(0)",
		"abs:threshold_report_stale_seconds":    "vector(1200)",
		"abs:grafana_info":                      "vector(1)",
		"abs:expected_target": `label_replace(vector(1), "target", "partner", "", "") or label_replace(vector(1), "target", "production", "", "")` +
			` or label_replace(vector(1), "target", "staging", "", "") or label_replace(vector(1), "target", "lab", "", "")`,
	} {
		if exprs[record] != want {
			t.Errorf("%s is %s, want %s", record, exprs[record], want)
		}
	}
	for _, name := range []string{"ABSNoRequests", "ABSAnomalies"} {
		if named[name] {
			t.Errorf("%s is left out, and there", name)
		}
	}
	if !named["ABSUnreachable"] || len(named) < 20 {
		t.Errorf("only %d alerts are there", len(named))
	}
	if all := strings.Join(slices.Collect(valuesOf(specs)), ""); strings.Contains(all, "grafana.example.com") || !strings.Contains(all, "https://grafana.internal/sub\"") {
		t.Error("the address of Grafana is not everywhere")
	}
	specs, _ = renderedRules(t, valuesFile(t, "minimal"), `prometheusRule: {enabled: true, jobPattern: 'it''s "mine"|a\.b'}`)
	checkRules(t, specs)
	if all := strings.Join(slices.Collect(valuesOf(specs)), ""); strings.Contains(all, `abs|.*abs-exporter.*`) || !strings.Contains(all, `it's \\\"mine\\\"|a\\\\.b`) {
		t.Error("the job pattern is not everywhere")
	}
}

func valuesOf(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// Dashboards are those of the repository, with the addresses of the release.
func TestDashboardsAreTheRepositorys(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(top, "dashboards", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, values := range []string{"dashboards: {enabled: true}", "grafanaDashboard: {enabled: true}"} {
		r := render(t, valuesFile(t, "minimal"), values, "prometheusRule: {runbookURL: 'https://runbooks.internal/'}")
		found := 0
		for i := range r.objects {
			o := &r.objects[i]
			name := "abs-exporter-" + strings.TrimPrefix(o.Metadata.Name, "rel-abs-exporter-") + ".json"
			var got string
			switch o.Kind {
			case "GrafanaDashboard":
				got = into[grafanaDashboard](t, o).Spec.JSON
			case "ConfigMap":
				if o.Metadata.Labels["grafana_dashboard"] != "1" || o.Metadata.Annotations["grafana_folder"] != "ABS" {
					continue
				}
				var m struct {
					Data map[string]string `json:"data"`
				}
				if err := yaml.Unmarshal(o.text, &m); err != nil {
					t.Fatal(err)
				}
				got = m.Data[name]
			default:
				continue
			}
			found++
			want := strings.ReplaceAll(readFile(t, filepath.Join(top, "dashboards", name)), "https://github.com/abs-exporter/abs-exporter/blob/main/docs/runbooks", "https://runbooks.internal")
			if got != want {
				t.Errorf("%s is not the repository's: %s", name, difference(want, got))
			}
		}
		if found != len(files) || found == 0 {
			t.Errorf("%s: %d dashboards of %d", values, found, len(files))
		}
	}
}
