package helm

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// The rules and dashboards of the chart are those of the repository: a chart is packed with the
// files below it only.
func TestFilesReference(t *testing.T) {
	var want []string
	for folder, globs := range map[string][]string{"alerts": {"*.rules.yml", "alertmanager.yml"}, "dashboards": {"*.json"}} {
		for _, glob := range globs {
			files, err := filepath.Glob(filepath.Join(top, folder, glob))
			if err != nil || len(files) == 0 {
				t.Fatalf("%s/%s: %d files, %v", folder, glob, len(files), err)
			}
			for _, file := range files {
				name := filepath.Join(chartDir, "files", folder, filepath.Base(file))
				want = append(want, name)
				golden(t, name, []byte(readFile(t, file)))
			}
		}
	}
	there, err := filepath.Glob(filepath.Join(chartDir, "files", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range there {
		if slices.Contains(want, name) {
			continue
		}
		t.Errorf("%s is no file of the repository any more: remove it", name)
	}
}

// value is a line of the README's table.
type value struct{ path, def, help string }

var (
	keyLine  = regexp.MustCompile(`^( *)([A-Za-z]+):`)
	helpLine = regexp.MustCompile(`^ *# (-- )?(.*)$`)
)

// describedValues returns the keys of values.yaml that have a comment, with their defaults.
func describedValues(t *testing.T, text string) (values []value) {
	t.Helper()
	var defaults map[string]any
	if err := yaml.Unmarshal([]byte(text), &defaults); err != nil {
		t.Fatal(err)
	}
	var path []string
	var help []string
	for line := range strings.SplitSeq(text, "\n") {
		if m := helpLine.FindStringSubmatch(line); m != nil {
			switch {
			case m[1] != "":
				help = []string{m[2]}
			case help != nil:
				help = append(help, m[2])
			}
			continue
		}
		m := keyLine.FindStringSubmatch(line)
		if m == nil {
			help = nil
			continue
		}
		path = append(path[:len(m[1])/2:len(m[1])/2], m[2])
		if help != nil {
			values = append(values, value{strings.Join(path, "."), inlineJSON(t, lookUp(defaults, path)), strings.Join(help, " ")})
		}
		help = nil
	}
	return values
}

func lookUp(values map[string]any, path []string) any {
	var v any = values
	for _, key := range path {
		v = v.(map[string]any)[key]
	}
	return v
}

func inlineJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The README's table is made from the comments in values.yaml.
func TestREADMEReference(t *testing.T) {
	const marker = "<!-- Made from values.yaml by: make chart -->\n"
	name := filepath.Join(chartDir, "README.md")
	head, _, found := strings.Cut(readFile(t, name), marker)
	if !found {
		t.Fatalf("%s lacks the line %s", name, marker)
	}
	var b strings.Builder
	b.WriteString(head + marker + "\n| value | default | meaning |\n|---|---|---|\n")
	for _, v := range describedValues(t, readFile(t, filepath.Join(chartDir, "values.yaml"))) {
		cell := strings.NewReplacer("|", `\|`).Replace
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", v.path, cell(v.def), cell(v.help))
	}
	golden(t, name, []byte(b.String()))
}

// schema is as much of a JSON schema as is compared.
type schema struct {
	Properties           map[string]schema `json:"properties"`
	AdditionalProperties any               `json:"additionalProperties"`
	Ref                  string            `json:"$ref"`
}

// Every value is in the schema, with a description in the README, and the schema has no other.
func TestSchemaHasTheValues(t *testing.T) {
	var s schema
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join(chartDir, "values.schema.json"))), &s); err != nil {
		t.Fatal(err)
	}
	text := readFile(t, filepath.Join(chartDir, "values.yaml"))
	var defaults map[string]any
	if err := yaml.Unmarshal([]byte(text), &defaults); err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	for _, v := range describedValues(t, text) {
		described[v.path] = true
	}
	delete(s.Properties, "global") // Helm sets it for charts within others
	compareValues(t, "", defaults, s, described)
}

func compareValues(t *testing.T, path string, values map[string]any, s schema, described map[string]bool) {
	t.Helper()
	if s.AdditionalProperties != false {
		t.Errorf("the schema is open at %q", path)
	}
	for key := range s.Properties {
		if _, ok := values[key]; !ok && !described[strings.TrimSuffix(path, ".")] {
			t.Errorf("%s%s is in the schema, but not in values.yaml", path, key)
		}
	}
	for key, v := range values {
		p, ok := s.Properties[key]
		if !ok {
			if !described[strings.TrimSuffix(path, ".")] {
				t.Errorf("%s%s is not in the schema", path, key)
			}
			continue
		}
		if m, isMap := v.(map[string]any); isMap && len(p.Properties) > 0 {
			compareValues(t, path+key+".", m, p, described)
		} else if !described[path+key] && !described[strings.TrimSuffix(path, ".")] {
			t.Errorf("%s%s has no comment # -- in values.yaml", path, key)
		}
	}
}

// The thresholds of the schema are those of the rules.
func TestSchemaReference(t *testing.T) {
	name := filepath.Join(chartDir, "values.schema.json")
	var names []string
	for _, m := range regexp.MustCompile(`record: abs:threshold_(\w+)`).FindAllStringSubmatch(readFile(t, filepath.Join(top, "alerts", "thresholds.rules.yml")), -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	var b strings.Builder
	for i, n := range names {
		fmt.Fprintf(&b, "\n            %q: {\"type\": \"number\", \"minimum\": 0}", n)
		if i < len(names)-1 {
			b.WriteByte(',')
		}
	}
	thresholds := regexp.MustCompile(`("thresholds": \{[^{]*"properties": \{)((?:[^{}]|\{[^{}]*\})*?)(\n +\})`)
	if text := readFile(t, name); len(names) == 0 || !thresholds.MatchString(text) {
		t.Fatalf("%d thresholds, or %s has no place for them", len(names), name)
	} else {
		golden(t, name, []byte(thresholds.ReplaceAllString(text, "${1}"+b.String()+"${3}")))
	}
}

// The chart's port is the program's, and its version is no other than the image's.
func TestChartYAML(t *testing.T) {
	c := loadChart(t)
	if c.Metadata.Version != c.Metadata.AppVersion {
		t.Errorf("version %s, appVersion %s", c.Metadata.Version, c.Metadata.AppVersion)
	}
	b, err := os.ReadFile(filepath.Join(top, "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	if port := fmt.Sprintf("`:%v`", lookUp(c.Values, []string{"web", "port"})); !strings.Contains(string(b), port) {
		t.Errorf("%s is not the port that abs-exporter listens on by default", port)
	}
}

// The values in docs/kubernetes.md and in the chart's README are values of the chart, and the pod
// there is a pod.
func TestDocumentedValues(t *testing.T) {
	found := 0
	for _, name := range []string{filepath.Join(top, "docs", "kubernetes.md"), filepath.Join(chartDir, "README.md")} {
		for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(readFile(t, name), -1) {
			found++
			switch text := m[1]; {
			case strings.Contains(text, "kind: Pod\n"):
				into[corev1.Pod](t, &object{text: []byte(text)})
			case strings.Contains(text, "scrape_configs:"): // checked by TestScrapeConfig
			case strings.HasPrefix(text, "shards:"):
				render(t, valuesFile(t, "full"), text)
			default:
				render(t, text)
			}
		}
	}
	if found < 5 {
		t.Errorf("there are only %d", found)
	}
}

// The scrape job for a cluster without an operator is one for Prometheus, and selects the pods and
// the port of the chart.
func TestScrapeConfig(t *testing.T) {
	m := regexp.MustCompile("(?s)```yaml\n(scrape_configs:.*?)```").FindStringSubmatch(readFile(t, filepath.Join(top, "docs", "kubernetes.md")))
	if m == nil {
		t.Fatal("there is none")
	}
	file := filepath.Join(t.TempDir(), "prometheus.yml")
	// promtool here is built without service discoveries, and says so of a configuration that is
	// right otherwise.
	config := strings.Replace(m[1], "kubernetes_sd_configs:\n      - role: pod\n        namespaces: {names: [monitoring]}", "static_configs: []", 1)
	if config == m[1] {
		t.Fatal("it discovers no pods")
	}
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool(t, "promtool"), "check", "config", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	set := into[appsv1.StatefulSet](t, render(t, valuesFile(t, "minimal")).get(t, "StatefulSet"))
	name, port := set.Spec.Template.Labels["app.kubernetes.io/name"], set.Spec.Template.Spec.Containers[0].Ports[0].Name
	if want := "regex: " + name + ";" + port; !strings.Contains(m[1], want) {
		t.Errorf("it lacks %s", want)
	}
}
