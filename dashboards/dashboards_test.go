package dashboards

import (
	"flag"
	"io/fs"
	"os"
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
