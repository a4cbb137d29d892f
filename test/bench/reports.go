package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// report makes the report of a size and a seed, once, and returns its file. It has the published
// shape, but for the raw line break in its description: encoding/json refuses that, and all
// programs are to read the same bytes.
func report(dir string, tokens int, seed uint64) (path string, size int64, err error) {
	path = filepath.Join(dir, fmt.Sprintf("tokens-%d-seed-%d.json", tokens, seed))
	if info, err := os.Stat(path); err == nil {
		return path, info.Size(), nil
	}
	f, err := os.CreateTemp(dir, "making-*.json")
	if err != nil {
		return "", 0, err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // on success it is renamed already
	w := bufio.NewWriterSize(&mending{f: f}, 1<<20)
	if _, err := simulator.WriteReport(w, seed, tokens); err != nil {
		return "", 0, err
	}
	if err := w.Flush(); err != nil {
		return "", 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	if err := f.Close(); err != nil {
		return "", 0, err
	}
	return path, info.Size(), os.Rename(f.Name(), path)
}

// mending replaces the raw line break in the description, which is in the first write.
type mending struct {
	f    *os.File
	done bool
}

func (m *mending) Write(p []byte) (int, error) {
	if !m.done {
		m.done = true
		at := bytes.Index(p, []byte(`"description"`))
		end := at + bytes.Index(p[at:], []byte(`",`))
		if i := bytes.IndexByte(p[at:end], '\n'); i >= 0 {
			p = bytes.Clone(p)
			p[at+i] = ' '
		}
	}
	return m.f.Write(p)
}
