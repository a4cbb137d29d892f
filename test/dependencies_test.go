package test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

// docs/dependencies.md has a row with a reason and a licence for each direct dependency, and no other.
func TestDependenciesAreExplained(t *testing.T) {
	t.Parallel()
	root := tools.Root(t)
	text, err := os.ReadFile(filepath.Join(root, "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	var explained []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| .+ \\| (?:MIT|BSD|Apache 2\\.0)(?:, Apache 2\\.0)? \\| .{10,} \\|$").FindAllStringSubmatch(string(text), -1) {
		explained = append(explained, m[1])
	}
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	direct := map[string]bool{}
	for _, m := range mod.Require {
		if !m.Indirect {
			direct[m.Path] = true
		}
	}
	if want := slices.Sorted(maps.Keys(direct)); len(want) < 10 || !slices.Equal(explained, want) {
		t.Errorf("docs/dependencies.md explains\n%q, go.mod requires\n%q", explained, want)
	}
}
