package statedir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOneProcessOwnsADirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "state")
	first, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("the second process: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir)
	if err != nil {
		t.Fatalf("after the first has ended: %v", err)
	}
	_ = again.Close()
}

// The system's temporary directory may be readable by others, and is never swept: nothing is
// written there, not even for a moment.
func TestTemporaryFilesStayInTheDirectory(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", elsewhere)
	path := filepath.Join(dir, "counters.state")
	before, err := os.Stat(elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := Write(path, []byte("content")); err != nil {
			t.Fatal(err)
		}
	}
	after, err := os.Stat(elsewhere)
	if err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("a file was in the temporary directory for a moment (%v, %v)", err, after.ModTime().Sub(before.ModTime()))
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files in the directory, %v", len(entries), err)
	}
}

func TestOpenSweeps(t *testing.T) {
	dir := t.TempDir()
	left := []string{".counters-a-12345678.state123456789", ".token-id.key987654321"}
	kept := []string{"counters-a-12345678.state", "token-id.key", ".somebody-elses", ".state-of-mind7"}
	for _, name := range append(left, kept...) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, name := range left {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	for _, name := range kept {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%s is gone: %v", name, err)
		}
	}
}
