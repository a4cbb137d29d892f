package alerts

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/abs-exporter/abs-exporter/test/queries"
	"github.com/abs-exporter/abs-exporter/test/tools"
)

// Each alert has a runbook with all its sections, and each runbook an alert.
func TestRunbooks(t *testing.T) {
	dir := filepath.Join(tools.Root(t), "docs", "runbooks")
	index, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"README": true}
	for _, r := range alertRules(t) {
		known[r.Alert] = true
		text, err := os.ReadFile(filepath.Join(dir, r.Alert+".md"))
		if err != nil {
			t.Error(err)
			continue
		}
		if !strings.HasPrefix(string(text), "# "+r.Alert+"\n") {
			t.Errorf("%s.md does not begin with its alert's name", r.Alert)
		}
		from := 0
		for _, section := range []string{"\n## Meaning\n", "\n## Impact\n", "\n## Diagnosis\n", "\n## Mitigation\n"} {
			at := strings.Index(string(text)[from:], section)
			if at < 0 {
				t.Errorf("%s.md has no section %q, or not in this order", r.Alert, strings.TrimSpace(section))
				break
			}
			from += at
		}
		if !strings.Contains(string(text), "\n```sh\n") && !strings.Contains(string(text), "\n```promql\n") {
			t.Errorf("%s.md has no command", r.Alert)
		}
		if !strings.Contains(string(index), "("+r.Alert+".md)") {
			t.Errorf("the index of the runbooks does not name %s", r.Alert)
		}
	}
	for _, file := range glob(t, "docs", "runbooks", "*.md") {
		if name := strings.TrimSuffix(filepath.Base(file), ".md"); !known[name] {
			t.Errorf("%s.md is the runbook of no alert", name)
		}
	}
}

var fenced = regexp.MustCompile("(?s)```promql\n(.*?)```")

// The queries of the runbooks are valid as they are written.
func TestRunbookQueriesFitTheTable(t *testing.T) {
	n := 0
	for _, file := range glob(t, "docs", "runbooks", "*.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range fenced.FindAllStringSubmatch(string(text), -1) {
			for _, query := range strings.Split(strings.TrimSpace(block[1]), "\n\n") {
				n++
				if err := queries.Check(query); err != nil {
					t.Errorf("%s: %v", filepath.Base(file), err)
				}
			}
		}
	}
	if n < 15 {
		t.Errorf("only %d queries were found", n)
	}
}
