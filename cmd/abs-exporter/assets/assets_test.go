package assets

import (
	"bytes"
	"flag"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the expected files anew")

// settings are those of the carried files.
var settings = Settings{GrafanaURL: GrafanaURL, RunbookURL: RunbookURL, JobPattern: JobPattern}

// own has characters that YAML, PromQL and jsonnet would have to escape.
var own = Settings{
	GrafanaURL: "https://grafana.internal/sub", RunbookURL: "http://abs-exporter:10464/runbooks",
	JobPattern: `it's "my" job|a\.b #1: c`, Labels: map[string]string{"release": "monitoring", "app.kubernetes.io/name": "abs"},
}

func made(t *testing.T, format string, s Settings) []File {
	t.Helper()
	files, err := Make(format, s)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", format, len(files), err)
	}
	return files
}

// golden compares with a file, and writes it with -update.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not current: make docs\n%s", file, got)
	}
}

// The library in the repository is the one that is written, so that jb can install it from there.
func TestMixinReference(t *testing.T) {
	files := made(t, Mixin, settings)
	library := files[len(files)-1]
	golden(t, filepath.Join("..", "..", "..", filepath.FromSlash(library.Path)), library.Data)
	for _, f := range files[:len(files)-1] {
		if imported := "importstr '../" + f.Path + "'"; !strings.Contains(string(library.Data), imported) {
			t.Errorf("it lacks %s", imported)
		}
	}
}

// An object of each kind, up to what it carries.
func TestObjectsReference(t *testing.T) {
	for format, name := range map[string]string{PrometheusRule: "prometheusrules/abs-exporter-attacks.yaml", ConfigMap: "configmaps/abs-exporter-overview.yaml"} {
		files := made(t, format, own)
		i := slices.IndexFunc(files, func(f File) bool { return f.Path == name })
		if i < 0 {
			t.Fatalf("%s is not written", name)
		}
		head := regexp.MustCompile(`(?ms)\A.*?^(spec:|  \S+\.json: \|)\n`).Find(files[i].Data)
		golden(t, filepath.Join("testdata", "golden", path.Base(name)), head)
	}
}

// object is as much of a Kubernetes object as there is.
type object struct {
	Metadata struct{ Name string }
	Spec     any
	Data     map[string]string
}

// Nothing of a dashboard changes in its object.
func TestConfigMapsCarryTheDashboards(t *testing.T) {
	sources := made(t, Files, own)
	for _, f := range made(t, ConfigMap, own) {
		o := parsed(t, f)
		name := strings.TrimSuffix(path.Base(f.Path), ".yaml") + ".json"
		source := sources[slices.IndexFunc(sources, func(s File) bool { return s.Path == "dashboards/"+name })]
		if got := o.Data[name]; got != string(source.Data) || len(o.Data) != 1 {
			t.Errorf("%s does not carry %s byte for byte", f.Path, source.Path)
		}
	}
}

// Nothing of the rules changes in their object, as values and as text, comments and templates
// included.
func TestPrometheusRulesCarryTheRules(t *testing.T) {
	sources := made(t, Files, own)
	for _, f := range made(t, PrometheusRule, own) {
		o := parsed(t, f)
		name := "alerts/" + strings.TrimPrefix(strings.TrimSuffix(path.Base(f.Path), ".yaml"), "abs-exporter-") + ".rules.yml"
		source := sources[slices.IndexFunc(sources, func(s File) bool { return s.Path == name })]
		var want any
		if err := yaml.Unmarshal(source.Data, &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(o.Spec, want) {
			t.Errorf("the spec of %s is not %s", f.Path, source.Path)
		}
		_, spec, _ := strings.Cut(string(f.Data), "spec:\n")
		if got := regexp.MustCompile(`(?m)^  `).ReplaceAllString(spec, ""); got != string(source.Data) {
			t.Errorf("the text of %s is not that of %s", f.Path, source.Path)
		}
	}
}

// parsed returns an object that Kubernetes accepts by its size and name.
func parsed(t *testing.T, f File) (o object) {
	t.Helper()
	const maxName, maxData = 253, 1 << 20
	if err := yaml.Unmarshal(f.Data, &o); err != nil {
		t.Fatalf("%s: %v", f.Path, err)
	}
	if name := o.Metadata.Name; len(name) > maxName || !regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`).MatchString(name) {
		t.Errorf("%s: the name %q is refused", f.Path, name)
	}
	if len(f.Data) > maxData {
		t.Errorf("%s has %d bytes; Kubernetes refuses more than %d", f.Path, len(f.Data), maxData)
	}
	return o
}

// Each setting is in one place at least, none is left behind, and nothing else changes.
func TestSettings(t *testing.T) {
	ours, theirs := made(t, Files, settings), made(t, Files, own)
	for _, place := range []struct{ was, is string }{
		{GrafanaURL, own.GrafanaURL},
		{RunbookURL, own.RunbookURL},
		{quoted(JobPattern), `"it's \"my\" job|a\\.b #1: c"`},
	} {
		found := 0
		for i, f := range theirs {
			n := bytes.Count(ours[i].Data, []byte(place.was))
			found += n
			if bytes.Contains(f.Data, []byte(place.was)) {
				t.Errorf("%s still has %s", f.Path, place.was)
			}
			if got := bytes.Count(f.Data, []byte(place.is)); got != n {
				t.Errorf("%s has %s %d times instead of %d", f.Path, place.is, got, n)
			}
		}
		if found == 0 {
			t.Errorf("%s is in no file", place.was)
		}
	}
	back := Settings{GrafanaURL: GrafanaURL, RunbookURL: RunbookURL, JobPattern: JobPattern}
	for i, f := range theirs {
		for _, r := range [][2]string{{own.GrafanaURL, back.GrafanaURL}, {own.RunbookURL, back.RunbookURL}, {quoted(own.JobPattern), quoted(back.JobPattern)}} {
			f.Data = bytes.ReplaceAll(f.Data, []byte(r[0]), []byte(r[1]))
		}
		if !bytes.Equal(f.Data, ours[i].Data) {
			t.Errorf("%s differs in more than the settings", f.Path)
		}
	}
}

func TestUnknownFormat(t *testing.T) {
	if _, err := Make("helm", settings); err == nil || err.Error() != `"helm" is no format` {
		t.Errorf("%v", err)
	}
}
