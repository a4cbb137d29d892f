// Package regular reads regular files. Whatever else stands under a name is refused at once: a FIFO
// would keep the reader waiting for a writer, and a device may never end.
package regular

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// ErrNotRegular is why a directory, a FIFO, a socket or a device is refused.
var ErrNotRegular = errors.New("is not a regular file")

// MaxSize is how many bytes ReadFile reads at most. Keys and certificates are never as long.
const MaxSize = 16 << 20

// Open opens a file for reading. It never waits. The error names the file.
func Open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = f.Close() // it was not read
		return nil, cmp.Or(err, notRegular(path))
	}
	return f, nil
}

// Check returns an error that names the file if something else than a regular file is there, or if
// nobody can know. Links are followed.
func Check(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return notRegular(path)
	}
	return nil
}

func notRegular(path string) error { return fmt.Errorf("%s %w", path, ErrNotRegular) }

// ReadFile returns the content of a file of MaxSize at most. The error names the file.
func ReadFile(path string) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()                                       //nolint:errcheck // only read
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1)) //nolint:forbidigo // limited
	switch {
	case err != nil:
		return nil, err
	case len(data) > MaxSize:
		return nil, fmt.Errorf("%s is longer than %d bytes", path, MaxSize)
	}
	return data, nil
}

// WithoutMark removes the byte order mark that editors put before a text of UTF-8.
func WithoutMark(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\ufeff")) }
