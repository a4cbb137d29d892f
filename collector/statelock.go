package collector

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// StateLock keeps other processes out of a state directory, and out of the token key
// that is kept there. It is released when the process ends.
type StateLock struct{ lock *flock.Flock }

// LockState makes the directory, if need be, and makes sure that no other process counts
// into it. Where nothing can be written, saving will fail too, and rule 9 of the ledger
// takes care of that. An empty dir needs no lock.
func LockState(dir string) (*StateLock, error) {
	if dir == "" {
		return &StateLock{}, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the state directory cannot be made: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	held, err := lock.TryLock()
	if err == nil && !held {
		return nil, fmt.Errorf("another abs-exporter is running with the state directory %s: two would overwrite each other's counters. Give each a --state.dir of its own", dir)
	}
	return &StateLock{lock}, nil
}

// Close lets another process have the directory.
func (l *StateLock) Close() error {
	if l.lock == nil {
		return nil
	}
	return l.lock.Close()
}
