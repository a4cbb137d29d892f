package helm

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

const (
	top      = "../.."
	chartDir = top + "/helm/abs-exporter"
)

var (
	update = flag.Bool("update", false, "write the files that are made from others anew")
	binary string // abs-exporter, built from this checkout
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "abs-exporter-helm")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // the system removes it some day
	binary = filepath.Join(dir, "abs-exporter")
	build := exec.Command("go", "build", "-o", binary, "./cmd/abs-exporter")
	build.Dir = top
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// object is an object of Kubernetes as it was rendered.
type object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name        string            `json:"name"`
		Namespace   string            `json:"namespace"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`

	text []byte
}

func (o *object) String() string { return o.Kind + " " + o.Metadata.Name }

// release is a rendered chart.
type release struct {
	objects []object
	notes   string
}

func loadChart(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// merged returns the values of the texts, of which later ones win as a further -f does.
func merged(t *testing.T, values ...string) map[string]any {
	t.Helper()
	all := map[string]any{}
	for _, text := range values {
		one, err := loader.LoadValues(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		all = loader.MergeMaps(all, one)
	}
	return all
}

// tryRender renders the chart as helm install does, with its schema.
func tryRender(t *testing.T, values ...string) (*release, error) {
	t.Helper()
	c := loadChart(t)
	with, err := util.ToRenderValues(c, merged(t, values...), common.ReleaseOptions{Name: "rel", Namespace: "monitoring", IsInstall: true, Revision: 1}, nil)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(c, with)
	if err != nil {
		return nil, err
	}
	r := &release{}
	for _, name := range sortedNames(files) {
		switch {
		case strings.HasSuffix(name, "NOTES.txt"):
			r.notes = files[name]
		case !strings.HasSuffix(name, ".tpl"):
			r.objects = append(r.objects, decoded(t, name, files[name])...)
		}
	}
	return r, nil
}

func sortedNames(files map[string]string) []string {
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func decoded(t *testing.T, name, text string) (objects []object) {
	t.Helper()
	for doc := range strings.SplitSeq("\n"+text, "\n---\n") {
		if strings.TrimSpace(doc) == "" {
			continue
		}
		o := object{text: []byte(doc)}
		if err := yaml.Unmarshal(o.text, &o); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, doc)
		}
		if o.Kind != "" {
			objects = append(objects, o)
		}
	}
	return objects
}

func render(t *testing.T, values ...string) *release {
	t.Helper()
	r, err := tryRender(t, values...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// get returns the only object of a kind.
func (r *release) get(t *testing.T, kind string) *object {
	t.Helper()
	all := r.all(kind)
	if len(all) != 1 {
		t.Fatalf("there are %d objects of the kind %s", len(all), kind)
	}
	return all[0]
}

func (r *release) all(kind string) (all []*object) {
	for i := range r.objects {
		if r.objects[i].Kind == kind {
			all = append(all, &r.objects[i])
		}
	}
	return all
}

// into decodes an object strictly: a field that its type lacks is an error.
func into[T any](t *testing.T, o *object) *T {
	t.Helper()
	var v T
	if err := yaml.UnmarshalStrict(o.text, &v); err != nil {
		t.Fatalf("%s: %v\n%s", o, err, o.text)
	}
	return &v
}

// valuesFile returns a file of ci/ in the chart.
func valuesFile(t *testing.T, name string) string {
	t.Helper()
	return readFile(t, filepath.Join(chartDir, "ci", name+"-values.yaml"))
}

func valuesFiles(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(chartDir, "ci", "*-values.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files of values, %v", len(files), err)
	}
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), "-values.yaml"))
	}
	return names
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// golden compares with a file, and writes it with -update.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not current: make chart\n%s", file, difference(string(want), string(got)))
	}
}

// difference returns the first lines that differ.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		if i >= len(w) || i >= len(g) || w[i] != g[i] {
			return fmt.Sprintf("from line %d:\nwant %q\ngot  %q", i+1, w[i:min(i+5, len(w))], g[i:min(i+5, len(g))])
		}
	}
	return ""
}
