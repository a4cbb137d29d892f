// Package statedir keeps a directory that one process owns: it locks the directory, and removes
// what a killed process left behind.
package statedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"github.com/abs-exporter/abs-exporter/abs/regular"
)

// Dir is a locked state directory. The end of the process unlocks it.
type Dir struct {
	path string
	lock *flock.Flock // nil without a directory
}

// Open creates the directory if it does not exist, and locks it, so that no other process counts
// into its files. Where nothing can be written, saving will fail too, and that is handled there. An
// empty path is no directory, and needs no lock.
func Open(path string) (*Dir, error) {
	d := &Dir{path: path}
	if path == "" {
		return d, nil
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("the state directory cannot be created: %w", err)
	}
	lock := filepath.Join(path, "lock")
	if err := regular.Check(lock); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the state directory cannot be locked: %w", err)
	}
	d.lock = flock.New(lock)
	held, err := d.lock.TryLock()
	if err == nil && !held {
		return nil, fmt.Errorf("another abs-exporter is running with the state directory %s: two would overwrite each other's counters. Set a --state.dir for each", path)
	}
	d.sweep()
	return d, nil
}

// sweep removes the temporary files of a process that was killed while writing: hidden files, whose
// names are that of a file of the directory and a number.
func (d *Dir) sweep() {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return
	}
	for _, e := range entries {
		name, hidden := strings.CutPrefix(e.Name(), ".")
		if base := strings.TrimRight(name, "0123456789"); hidden && base != name && e.Type().IsRegular() &&
			(strings.HasSuffix(base, ".state") || strings.HasSuffix(base, ".key")) {
			_ = os.Remove(filepath.Join(d.path, e.Name())) // it does no harm but take room
		}
	}
}

// Close unlocks the directory.
func (d *Dir) Close() error {
	if d.lock == nil {
		return nil
	}
	return d.lock.Close()
}
