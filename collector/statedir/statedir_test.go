package statedir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
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

// What is no lock file is refused by name: a FIFO would hang, and a directory would be no lock.
func TestLockIsARegularFile(t *testing.T) {
	for name, create := range map[string]func(path string) error{
		"a FIFO":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a directory": func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			lock := filepath.Join(dir, "lock")
			if err := create(lock); err != nil {
				t.Fatal(err)
			}
			opened := make(chan error, 1)
			go func() {
				_, err := Open(dir)
				opened <- err
			}()
			select {
			case err := <-opened:
				if err == nil || !strings.Contains(err.Error(), lock) {
					t.Errorf("%v, want an error that names %s", err, lock)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("it hangs")
			}
		})
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

// A state that others could write is theirs no more once it is written.
func TestWriteRestrictsTheMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "counters.state")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("content")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
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
	if err := Write(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(other); err != nil || string(text) != "new" {
		t.Errorf("the file behind the link holds %q, %v", text, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v", err)
	}
}
