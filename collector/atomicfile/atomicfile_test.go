package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// The system's temporary directory may be readable by others, may be another disk, and is never
// swept: nothing is written there, not even for a moment.
func TestTemporaryFilesStayInTheDirectory(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", elsewhere)
	path := filepath.Join(dir, "counters.state")
	before, err := os.Stat(elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := Write(path, []byte("content"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	after, err := os.Stat(elsewhere)
	if err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("a file was in the temporary directory for a moment (%v, %v)", err, after.ModTime().Sub(before.ModTime()))
	}
	if got := names(t, dir); len(got) != 1 || got[0] != "counters.state" {
		t.Errorf("files in the directory: %q", got)
	}
}

// Until the commit the old content is there, and what is abandoned leaves nothing.
func TestAbandon(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "history.om")
	if err := Write(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Create(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("half of the new"); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); len(got) != 2 {
		t.Errorf("while it is written: %q", got)
	}
	f.Abandon()
	f.Abandon()
	if text, err := os.ReadFile(path); err != nil || string(text) != "old" {
		t.Errorf("the file holds %q, %v", text, err)
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("after it was abandoned: %q", got)
	}
}

// A commit that fails leaves nothing either: here a directory stands under the name.
func TestCommitFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "counters.state")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("content"), 0o600); err == nil {
		t.Error("a directory was replaced")
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("left behind: %q", got)
	}
}

func TestMode(t *testing.T) {
	for name, c := range map[string]struct {
		replaced, mode, want fs.FileMode // replaced: 0 for none
	}{
		"a new file":                       {0, 0o644, 0o640}, // the umask is 027
		"others could write the state":     {0o666, 0o600, 0o600},
		"the operator let nobody else in":  {0o600, 0o644, 0o600},
		"the operator let others in again": {0o644, 0o644, 0o644},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			if c.replaced != 0 {
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(path, c.replaced); err != nil {
					t.Fatal(err)
				}
			}
			defer syscall.Umask(syscall.Umask(0o027))
			if err := Write(path, []byte("content"), c.mode); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != c.want {
				t.Errorf("mode %v, %v; want %v", info.Mode(), err, c.want)
			}
		})
	}
}

// A state that is a link to another disk stays there.
func TestWriteFollowsALink(t *testing.T) {
	dir, other := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere.state")
	link := filepath.Join(dir, "counters.state")
	if err := os.WriteFile(other, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, link); err != nil {
		t.Fatal(err)
	}
	if err := Write(link, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(other); err != nil || string(text) != "new" {
		t.Errorf("the file behind the link holds %q, %v", text, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v", err)
	}
}

// faultyDir is a directory on a file system that answers a sync with an error.
type faultyDir struct{ err error }

func (d faultyDir) Sync() error { return d.err }

// Where directories cannot be synced at all, counters would stand still for ever.
func TestDirectoriesThatCannotBeSynced(t *testing.T) {
	for err, passes := range map[error]bool{
		nil:                true,
		syscall.EINVAL:     true,
		syscall.EOPNOTSUPP: true,
		syscall.EIO:        false,
		syscall.ENOSPC:     false,
		syscall.EDQUOT:     false,
		errors.New("odd"):  false,
	} {
		wrapped := err
		if err != nil {
			wrapped = &os.PathError{Op: "sync", Path: "dir", Err: err}
		}
		if got := syncDir(faultyDir{wrapped}); (got == nil) != passes {
			t.Errorf("%s: %v", fmt.Sprint(err), got)
		}
	}
}
