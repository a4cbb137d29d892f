package packages

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(tools.Root(t), path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// make cross builds for what is released, and what a release contains exists: either in git, or
// made by make release-files.
func TestReleaseConfiguration(t *testing.T) {
	var config struct {
		Builds []struct{ Goos, Goarch []string }
		Nfpms  []struct {
			Contents []struct{ Src, Dst string }
			Scripts  map[string]string
		}
		Archives []struct{ Files []struct{ Src string } }
	}
	if err := yaml.Unmarshal([]byte(read(t, ".goreleaser.yaml")), &config); err != nil {
		t.Fatal(err)
	}
	makefile := read(t, "Makefile")
	var platforms []string
	for _, b := range config.Builds {
		for _, system := range b.Goos {
			for _, processor := range b.Goarch {
				platforms = append(platforms, system+"/"+processor)
			}
		}
	}
	cross := regexp.MustCompile(`(?m)^PLATFORMS := (.*)$`).FindStringSubmatch(makefile)
	if cross == nil || !slices.Equal(strings.Fields(cross[1]), platforms) {
		t.Errorf("make cross builds for %q, a release for %q", cross, platforms)
	}
	var sources []string
	for _, a := range config.Archives {
		for _, f := range a.Files {
			sources = append(sources, f.Src)
		}
	}
	for _, n := range config.Nfpms {
		for _, c := range n.Contents {
			sources = append(sources, c.Src)
		}
		for _, script := range n.Scripts {
			sources = append(sources, script)
		}
	}
	if len(sources) < 20 {
		t.Fatalf("%d files are released: %q", len(sources), sources)
	}
	for _, path := range sources {
		if strings.HasPrefix(path, ".tools/release/") {
			continue // TestArchive and TestDeb
		}
		if _, err := os.Stat(filepath.Join(tools.Root(t), path)); err != nil {
			t.Error(err)
		}
	}
}
