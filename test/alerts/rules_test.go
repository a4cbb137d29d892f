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
	"time"

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
			if out, err := exec.Command(tools.Path(t, "promtool"), "test", "rules", file).CombinedOutput(); err != nil {
				t.Errorf("promtool test rules: %v\n%s", err, out)
			}
		})
	}
}

// Every alert has a case that fires, with all of its annotations, and a near miss: a test of its
// own in which it never fires, evaluated when its "for" has passed. Before that, any alert is
// silent.
func TestEveryAlertHasCases(t *testing.T) {
	seen := map[string]*cases{}
	for _, r := range alertRules(t) {
		if seen[r.Alert] != nil {
			t.Errorf("%s is there twice", r.Alert)
		}
		c := &cases{}
		if r.For != "" {
			c.patience = duration(t, r.For)
		}
		seen[r.Alert] = c
	}
	for _, file := range glob(t, "alerts", "tests", "*.yml") {
		var parsed struct {
			Tests []struct {
				Alerts []alertCase `yaml:"alert_rule_test"`
			} `yaml:"tests"`
		}
		read(t, file, &parsed)
		for _, test := range parsed.Tests {
			countCases(t, filepath.Base(file), test.Alerts, seen)
		}
	}
	for name, s := range seen {
		if s.fires == 0 || s.nearMisses == 0 {
			t.Errorf("%s has %d cases that fire, and %d tests in which it never does although its \"for\" has passed", name, s.fires, s.nearMisses)
		}
	}
}

// cases counts the cases of one alert.
type cases struct {
	patience          time.Duration // its "for"
	fires, nearMisses int
}

type alertCase struct {
	Name     string `yaml:"alertname"`
	At       string `yaml:"eval_time"`
	Expected []struct {
		Annotations map[string]string `yaml:"exp_annotations"`
	} `yaml:"exp_alerts"`
}

// countCases adds the cases of one test.
func countCases(t *testing.T, file string, test []alertCase, seen map[string]*cases) {
	t.Helper()
	silent := map[string]bool{} // which of those evaluated late enough never fire here
	for _, c := range test {
		s := seen[c.Name]
		if s == nil {
			t.Errorf("%s tests %s, and there is no such alert", file, c.Name)
			continue
		}
		never, known := silent[c.Name]
		switch {
		case len(c.Expected) > 0:
			silent[c.Name] = false
			if c.Expected[0].Annotations["description"] != "" {
				s.fires++
			}
		case (never || !known) && duration(t, c.At) > s.patience:
			silent[c.Name] = true
		}
	}
	for name, never := range silent {
		if never {
			seen[name].nearMisses++
		}
	}
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
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
	if want := map[string]int{"ABSExporterDown": 1, "ABSExporterAbsent": 2}; !maps.Equal(uses, want) {
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
var examples = map[string]string{"report": "oauthtokens"}

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

var setsSeverity = regexp.MustCompile(`"severity", "(\w+)", "", ""`)

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
		for _, name := range []string{"summary", "description", "runbook_url", "dashboard"} {
			if r.Annotations[name] == "" {
				t.Errorf("%s has no %s", r.Alert, name)
			}
		}
		if want := "https://github.com/abs-exporter/abs-exporter/blob/main/docs/runbooks/" + r.Alert + ".md"; r.Annotations["runbook_url"] != want {
			t.Errorf("%s: its runbook is %s instead of %s", r.Alert, r.Annotations["runbook_url"], want)
		}
		if !regexp.MustCompile(`/d/abs-exporter-(overview|token|health)`).MatchString(r.Annotations["dashboard"]) {
			t.Errorf("%s leads to no dashboard of ours: %s", r.Alert, r.Annotations["dashboard"])
		}
	}
}

// Each threshold is used, and ABSThresholdsMissing fires without it.
func TestThresholds(t *testing.T) {
	var all, guard string
	var names []string
	for _, r := range rules(t) {
		switch {
		case strings.HasPrefix(r.Record, "abs:threshold_"):
			names = append(names, r.Record)
			if len(r.Labels) > 0 {
				t.Errorf("%s has labels, so scalar() might find two of it", r.Record)
			}
		case r.Alert == "ABSThresholdsMissing":
			guard = r.Expr
		default:
			all += r.Expr + "\n"
		}
	}
	if len(names) < 10 {
		t.Fatalf("thresholds: %q", names)
	}
	for _, name := range names {
		if !strings.Contains(all, "scalar("+name+")") {
			t.Errorf("%s is used by no rule", name)
		}
		if !strings.Contains(guard, "absent("+name+")") {
			t.Errorf("ABSThresholdsMissing does not check %s", name)
		}
	}
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
