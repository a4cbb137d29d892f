package dashboards

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/abs-exporter/abs-exporter/dashboards/build"
)

var update = flag.Bool("update", false, "write the dashboards anew")

// TestReferenceDashboards compares the files with their description in Go; make docs writes them
// anew.
func TestReferenceDashboards(t *testing.T) {
	all := build.All()
	for _, d := range all {
		name := d.UID + ".json"
		want, err := d.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := fs.ReadFile(FS, name)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s is not current: go test ./dashboards -run Reference -update", name)
		}
	}
	files, err := fs.Glob(FS, "*")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(all) {
		t.Errorf("there are %d files for %d dashboards: %q", len(files), len(all), files)
	}
}

// TestReferenceOfPanels compares the list of panels in docs/dashboards.md with the dashboards; make
// docs writes it anew.
func TestReferenceOfPanels(t *testing.T) {
	const name, begin, end = "../docs/dashboards.md", "<!-- begin panels -->\n", "<!-- end panels -->\n"
	page, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no section of panels", name)
	}
	var list strings.Builder
	for _, d := range build.All() {
		fmt.Fprintf(&list, "\n### %s\n\n%s\n\n| panel | what it shows |\n|---|---|\n", d.Title, d.Description)
		for _, p := range d.Panels {
			writePanel(&list, p)
			if p.Panels != nil {
				for _, inner := range *p.Panels {
					writePanel(&list, inner)
				}
			}
		}
	}
	want := before + begin + list.String() + "\n" + end + after
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(page) {
		t.Errorf("the panels in %s are not current: make docs", name)
	}
}

func writePanel(list *strings.Builder, p *build.Panel) {
	if p.Type != "row" {
		fmt.Fprintf(list, "| %s | %s |\n", p.Title, strings.ReplaceAll(p.Description, "|", "\\|"))
	}
}
