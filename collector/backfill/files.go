package backfill

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"github.com/abs-exporter/abs-exporter/abs/regular"
	"github.com/abs-exporter/abs-exporter/collector/atomicfile"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
)

// workDir is where everything is until it is written. Its files hold token ids, no tokens.
type workDir struct {
	path string
	lock *flock.Flock
}

// openWorkDir creates and locks a work directory.
func openWorkDir(path string) (*workDir, error) {
	err := os.MkdirAll(path, 0o700)
	d := &workDir{path, flock.New(filepath.Join(path, "lock"))}
	held := false
	if err == nil {
		err = regular.Check(d.lock.Path())
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		held, err = d.lock.TryLock()
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("the work directory cannot be used: %w", err)
	case !held:
		return nil, fmt.Errorf("another backfill is running with the work directory %s: name another one by --work-dir", path)
	}
	d.sweep()
	return d, nil
}

func (d *workDir) close() { _ = d.lock.Close() } // the end of the process unlocks it, too

// sweep removes the temporary files of a process that was killed while it wrote a checkpoint.
func (d *workDir) sweep() {
	for _, name := range d.own(".target-*") {
		_ = os.Remove(name) // it does no harm but stay
	}
}

// own returns the files of a pattern.
func (d *workDir) own(pattern string) []string {
	names, _ := filepath.Glob(filepath.Join(d.path, pattern)) // the pattern is right
	return names
}

// remove removes all that backfill has written there, and then the directory, if nothing else is in
// it.
func (d *workDir) remove() error {
	for _, name := range slices.Concat(d.own("target-*.checkpoint"), d.own("target-*.part"), d.own("lock")) {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	_ = os.Remove(d.path)
	return nil
}

// files are those of one target.
type files struct {
	dir   *workDir
	index int // of the target
}

// checkpoint is how far the history of a target is.
type checkpoint struct {
	Settings []string  // that it was read with
	Next     time.Time // where the next window begins
	Nothing  int       // reports with neither summary nor rows
	Parts    []int     // numbers of the files with the samples
	Ledger   *ledger.State
}

func (f *files) part(n int) string {
	return filepath.Join(f.dir.path, fmt.Sprintf("target-%d-%08d.part", f.index, n))
}

func (f *files) paths(c *checkpoint) []string {
	paths := make([]string, len(c.Parts))
	for i, n := range c.Parts {
		paths[i] = f.part(n)
	}
	return paths
}

func (f *files) checkpoint() string {
	return filepath.Join(f.dir.path, fmt.Sprintf("target-%d.checkpoint", f.index))
}

func (f *files) damaged(err error) error {
	return fmt.Errorf("%s is damaged: %w. Remove the directory to begin anew", f.checkpoint(), err)
}

// load reads the checkpoint; found is false where there is none.
func (f *files) load(c *checkpoint) (found bool, err error) {
	b, err := regular.ReadFile(f.checkpoint())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := gob.NewDecoder(bytes.NewReader(b)).Decode(c); err != nil {
		return false, f.damaged(err)
	}
	if c.Ledger == nil || len(c.Settings) == 0 {
		return false, f.damaged(errors.New("it is incomplete"))
	}
	c.Next = c.Next.UTC()
	return true, nil
}

// mostParts is how many files with samples there are before they are merged into one: all of them
// are open at the same time then.
const mostParts = 64

// save writes the samples and then the checkpoint that names them, and empties the buffer. With
// last, one part is left.
func (f *files) save(c *checkpoint, samples *buffer, last bool) error {
	former := c.Parts
	next := 1
	if n := len(c.Parts); n > 0 {
		next = c.Parts[n-1] + 1
	}
	if err := writePart(f.part(next), samples.records); err != nil {
		return err
	}
	*samples = buffer{labels: samples.labels}
	c.Parts = append(slices.Clone(c.Parts), next)
	if last || len(c.Parts) > mostParts {
		merged := next + 1
		all := f.paths(c)
		if err := writePart(f.part(merged), func(yield yieldRecord) error { return mergeParts(all, yield) }); err != nil {
			return err
		}
		c.Parts = []int{merged}
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(c); err != nil {
		return err
	}
	if err := atomicfile.Write(f.checkpoint(), b.Bytes(), 0o600); err != nil {
		return err
	}
	if len(c.Parts) > len(former) {
		return nil
	}
	return f.sweep(c)
}

// sweep removes the files with samples that the checkpoint does not name: those of a process that
// was killed, or such as were merged.
func (f *files) sweep(c *checkpoint) error {
	named := f.paths(c)
	for _, path := range f.dir.own(fmt.Sprintf("target-%d-*.part", f.index)) {
		if !slices.Contains(named, path) {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}
