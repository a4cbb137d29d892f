package alerts

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/abs-exporter/abs-exporter/alerts"
	"github.com/abs-exporter/abs-exporter/test/queries"
	"github.com/abs-exporter/abs-exporter/test/tools"
)

type rule struct {
	Record      string            `yaml:"record"`
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	KeepFiring  string            `yaml:"keep_firing_for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// rules returns all rules of the files that the binary carries.
func rules(t *testing.T) []rule {
	t.Helper()
	files, err := fs.Glob(alerts.FS, "*.rules.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("rule files: %q, %v", files, err)
	}
	var all []rule
	for _, file := range files {
		text, err := fs.ReadFile(alerts.FS, file)
		if err != nil {
			t.Fatal(err)
		}
		var parsed struct {
			Groups []struct {
				Name     string `yaml:"name"`
				Interval string `yaml:"interval"`
				Rules    []rule `yaml:"rules"`
			} `yaml:"groups"`
		}
		decoder := yaml.NewDecoder(strings.NewReader(string(text)))
		decoder.KnownFields(true)
		if err := decoder.Decode(&parsed); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, g := range parsed.Groups {
			all = append(all, g.Rules...)
		}
	}
	return all
}

func alertRules(t *testing.T) []rule {
	t.Helper()
	return slices.DeleteFunc(rules(t), func(r rule) bool { return r.Alert == "" })
}

func TestPromtoolFindsNothing(t *testing.T) {
	t.Parallel()
	files := glob(t, "alerts", "*.rules.yml")
	out, err := exec.Command(tools.Path(t, "promtool"), append([]string{"check", "rules", "--lint=all", "--lint-fatal"}, files...)...).CombinedOutput()
	if err != nil {
		t.Errorf("promtool check rules: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "Checking") && !strings.HasPrefix(line, "SUCCESS") {
			t.Errorf("promtool check rules prints: %s", line)
		}
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	for _, file := range glob(t, "alerts", "tests", "*.yml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			testRules(t, file)
		})
	}
}

// Cases have the same result where two rulers run the rules: each recorded series is there twice,
// with a label of its ruler. Other files use no recorded series but thresholds: see TestThresholds.
func TestTwoCopiesOfTheRules(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, file := range glob(t, "alerts", "*.rules.yml") {
		var content map[string]any
		read(t, file, &content)
		for _, g := range content["groups"].([]any) {
			group := g.(map[string]any)
			group["rules"] = twice(group["rules"].([]any))
		}
		writeYAML(t, filepath.Join(dir, filepath.Base(file)), content)
	}
	if err := os.Mkdir(filepath.Join(dir, "tests"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"attacks.yml", "campaign.yml", "thresholds.yml", "traffic.yml"} {
		text, err := os.ReadFile(glob(t, "alerts", "tests", name)[0])
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "tests", name), string(text))
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testRules(t, filepath.Join(dir, "tests", name))
		})
	}
}

// twice returns rules with each recording rule twice.
func twice(rules []any) []any {
	var out []any
	for _, r := range rules {
		one := r.(map[string]any)
		if one["record"] == nil {
			out = append(out, one)
			continue
		}
		for _, ruler := range []string{"a", "b"} {
			two, labels := maps.Clone(one), map[string]any{"ruler": ruler}
			if l, ok := one["labels"].(map[string]any); ok {
				maps.Copy(labels, l)
			}
			two["labels"] = labels
			out = append(out, two)
		}
	}
	return out
}

func testRules(t *testing.T, file string) {
	t.Helper()
	compute(t)
	cmd := exec.Command(tools.Path(t, "promtool"), "test", "rules", file)
	cmd.Env = append(os.Environ(), "GOGC=400") // a quarter less of the processor's time
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool test rules: %v\n%s", err, out)
	}
}

// Which jobs are exporters cannot be recorded as the thresholds are, so the pattern has to be the
// same in every rule, and the documentation names every rule that has it.
func TestOnePatternOfJobs(t *testing.T) {
	const pattern = `job=~"abs|.*abs-exporter.*"`
	selector := regexp.MustCompile(`\bup\b(\{[^}]*\})?`)
	uses := map[string]int{}
	for _, r := range rules(t) {
		for _, m := range selector.FindAllStringSubmatch(r.Expr, -1) {
			uses[r.Record+r.Alert]++
			if m[1] != "{"+pattern+"}" {
				t.Errorf("%s asks for %s instead of up{%s}", r.Record+r.Alert, m[0], pattern)
			}
		}
	}
	if want := map[string]int{"ABSExporterDown": 1, "ABSExporterAbsent": 3}; !maps.Equal(uses, want) {
		t.Errorf("the pattern is in %v; the documentation says %v", uses, want)
	}
	for _, parts := range [][]string{{"docs", "runbooks", "README.md"}, {"alerts", "thresholds.rules.yml"}} {
		text, err := os.ReadFile(glob(t, parts...)[0])
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), pattern) {
			t.Errorf("%s does not have the pattern", filepath.Join(parts...))
		}
	}
}

// inTemplate matches the queries in annotations: they are in backquotes, or in quotes after query.
var inTemplate = regexp.MustCompile("`([^`]+)`|query \"([^\"]+)\"")

// asks matches the begin of a query; urlquery is none.
var asks = regexp.MustCompile(`\bquery `)

// placeholder stands for a value of a label in a query of an annotation.
var placeholder = regexp.MustCompile(`(\w+)=%(?:\[\d\])?q`)

// examples are values for labels whose set of values is closed.
var examples = map[string]string{"report": "oauthtokens", "signal": "logs"}

func TestEveryQueryFitsTheTable(t *testing.T) {
	n := 0
	check := func(where, query string) {
		n++
		if err := queries.Check(query); err != nil {
			t.Errorf("%s: %v", where, err)
		}
	}
	for _, r := range rules(t) {
		check(r.Record+r.Alert, r.Expr)
		for name, text := range r.Annotations {
			found := inTemplate.FindAllStringSubmatch(text, -1)
			if calls := len(asks.FindAllString(text, -1)); calls != len(found) {
				t.Errorf("%s, %s: %d queries, of which %d were found", r.Alert, name, calls, len(found))
			}
			for _, q := range found {
				check(r.Alert+", "+name, placeholder.ReplaceAllStringFunc(q[1]+q[2], func(m string) string {
					label, _, _ := strings.Cut(m, "=")
					value := "x"
					if s := examples[label]; s != "" {
						value = s
					}
					return fmt.Sprintf("%s=%q", label, value)
				}))
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d queries were found", n)
	}
}

var setsSeverity = regexp.MustCompile(`"severity", "(\w+)", "`)

// severities returns the severities that the alerts of a rule can have: that of its label, or those
// that its expression sets.
func (r *rule) severities() []string {
	if r.Labels["severity"] != "{{ $labels.severity }}" {
		return []string{r.Labels["severity"]}
	}
	found := []string{""} // which is none, if the expression sets none
	for i, m := range setsSeverity.FindAllStringSubmatch(r.Expr, -1) {
		found = append(found[:i], m[1])
	}
	return found
}

// Every alert has what a person needs to act on it, and the label that Alertmanager routes by.
func TestEveryAlertIsComplete(t *testing.T) {
	for _, r := range alertRules(t) {
		for _, severity := range r.severities() {
			if !slices.Contains([]string{"critical", "warning", "info"}, severity) {
				t.Errorf("%s has the severity %q", r.Alert, severity)
			}
		}
		for _, name := range []string{"summary", "description", "runbook_url", "dashboard_url"} {
			if r.Annotations[name] == "" {
				t.Errorf("%s has no %s", r.Alert, name)
			}
		}
		// PagerDuty and Slack show what follows a colon as a second title.
		if strings.Contains(r.Annotations["summary"], ":") {
			t.Errorf("%s: its summary has a colon: %s", r.Alert, r.Annotations["summary"])
		}
		if want := "https://github.com/abs-exporter/abs-exporter/blob/main/docs/runbooks/" + r.Alert + ".md"; r.Annotations["runbook_url"] != want {
			t.Errorf("%s: its runbook is %s instead of %s", r.Alert, r.Annotations["runbook_url"], want)
		}
		if !regexp.MustCompile(`/d/abs-exporter-(overview|api|health)\?`).MatchString(r.Annotations["dashboard_url"]) {
			t.Errorf("%s leads to no dashboard of ours: %s", r.Alert, r.Annotations["dashboard_url"])
		}
	}
}

var (
	recorded  = regexp.MustCompile(`\babs:threshold_\w+`)
	compares  = regexp.MustCompile(`scalar\(max\((abs:threshold_\w+)\)\)`)
	rulesOfIt = regexp.MustCompile(`ABS[A-Z]\w+`)
)

// Each threshold is used by the rules that its help names and by no other, and always so that a
// second copy of it changes nothing. A scalar() of two series is NaN, and nothing compares with
// that.
func TestThresholds(t *testing.T) {
	all := rules(t)
	uses := map[string][]string{} // the alerts that compare with a threshold
	for _, r := range all {
		if r.Alert == "ABSThresholdsMissing" {
			continue
		}
		found := compares.FindAllStringSubmatch(r.Expr, -1)
		if n := len(recorded.FindAllString(r.Expr, -1)); n != len(found) {
			t.Errorf("%s has %d thresholds, %d of them as scalar(max(...))", r.Record+r.Alert, n, len(found))
		}
		for _, m := range found {
			for _, alert := range dependents(all, r) {
				if !slices.Contains(uses[m[1]], alert) {
					uses[m[1]] = append(uses[m[1]], alert)
				}
			}
		}
	}
	for _, th := range alerts.Thresholds() {
		want := rulesOfIt.FindAllString(strings.SplitN(th.Help, ":", 2)[0], -1)
		slices.Sort(want)
		slices.Sort(uses[th.Name])
		if !slices.Equal(uses[th.Name], want) {
			t.Errorf("%s is used by %q; its help says %q", th.Name, uses[th.Name], want)
		}
		delete(uses, th.Name)
	}
	for name := range uses {
		t.Errorf("%s is not in the table", name)
	}
}

// dependents returns the alert of a rule, or the alerts that use what it records.
func dependents(all []rule, r rule) []string {
	if r.Alert != "" {
		return []string{r.Alert}
	}
	var names []string
	for _, other := range all {
		if other.Alert != "" && strings.Contains(other.Expr, r.Record) {
			names = append(names, other.Alert)
		}
	}
	return names
}

func glob(t *testing.T, parts ...string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(append([]string{tools.Root(t)}, parts...)...))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", filepath.Join(parts...), len(files), err)
	}
	return files
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
