// Package atomicfile replaces files in one step, on every system alike: whoever opens a file reads
// all of the old content or all of the new, also after a crash.
package atomicfile

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

// File is a file that is being written beside the one that it will replace.
type File struct {
	*os.File
	path string
	done bool // replaced, or removed
}

// Create begins to replace the file of a path. A link stays, and what it leads to is replaced. The
// file is hidden until Commit, in the same directory, so that it is never on another disk; its name
// is a dot, the name of the file and a number. Nobody gets more access than by mode and by the file
// that it replaces: the mode of a new file is mode, as the umask restricts it.
func Create(path string, mode fs.FileMode) (*File, error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	keep := false
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
		keep, mode = true, mode&info.Mode().Perm()
	}
	f, err := createBeside(path, mode)
	if err != nil {
		return nil, err
	}
	if keep {
		// The umask was asked when the file that is replaced was made.
		if err := f.Chmod(mode); err != nil {
			f.Abandon()
			return nil, err
		}
	}
	return f, nil
}

func createBeside(path string, mode fs.FileMode) (*File, error) {
	dir, name := filepath.Split(path)
	for try := 0; ; try++ {
		temporary := filepath.Join(dir, "."+name+strconv.FormatUint(uint64(rand.Uint32()), 10)) //nolint:gosec // G404: only to be free
		f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		switch {
		case err == nil:
			return &File{File: f, path: path}, nil
		case !errors.Is(err, fs.ErrExist) || try == 100:
			return nil, err
		}
	}
}

// Commit replaces the file. Once it returns, the content is on the disk, name and all. Windows has
// no call that writes a name to the disk: after a loss of power the old file may be there again,
// whole.
func (f *File) Commit() error {
	err := errors.Join(f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		f.Abandon()
		return err
	}
	f.done = true
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	return errors.Join(syncDir(dir), dir.Close())
}

// Abandon removes what was written, unless it was committed. There may be no file.
func (f *File) Abandon() {
	if f == nil || f.done {
		return
	}
	f.done = true
	_ = f.Close() // it is not needed
	_ = os.Remove(f.Name())
}

// Write replaces a file by one with this content: Create and Commit.
func Write(path string, content []byte, mode fs.FileMode) error {
	f, err := Create(path, mode)
	if err != nil {
		return err
	}
	defer f.Abandon()
	if _, err := f.Write(content); err != nil {
		return err
	}
	return f.Commit()
}

// syncDir writes the names of a directory to the disk. File systems on which that does not exist
// for directories (SMB, 9p, FUSE) say so each time; there, the names are written when the file
// system does it.
func syncDir(d interface{ Sync() error }) error {
	err := d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}
