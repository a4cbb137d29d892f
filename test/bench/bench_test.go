package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Every section runs, with reports that are read in no time: the programs agree on what they count.
func TestEverySectionRuns(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "bench")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), binary, "-runs", "1", "-small", "1000", "-large", "2000", "-forensics", "200ms", "-scrapes", "3", "-dir", t.TempDir())
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	for _, row := range []string{
		"| exporter, state in memory |", "| exporter, state on disk |", "| the usual way, all series |", "| the same, decoding row by row |",
		"| client_golang |", "| a file server | gzip |", "| the exporter's |",
	} {
		if !strings.Contains(string(out), row) {
			t.Errorf("the row %q is missing:\n%s", row, out)
		}
	}
}
