package collector

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// readOnlyDir returns a directory with a file that can be read, while nothing can be written beside
// it, not even by root: the path of any longer name is too long for the system.
func readOnlyDir(t *testing.T, name string, content []byte) string {
	t.Helper()
	const pathMax = 4096 // of Linux, with the byte at the end
	dir := t.TempDir()
	for left := pathMax - 1 - len("/"+name) - len(dir); left > 1; left = pathMax - 1 - len("/"+name) - len(dir) {
		n := min(left-1, 200)
		if left-1-n == 1 {
			n-- // a slash alone would be left
		}
		dir += "/" + strings.Repeat("d", n)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+"0", nil, 0o600); err == nil {
		t.Skip("this system has longer paths")
	}
	return dir
}

// The good state was read, but nothing can be written: its counters are exposed at once and stand
// still. What was counted meanwhile appears with the first save.
func TestStartWhereNothingCanBeSaved(t *testing.T) {
	o := defaults()
	o.StateDir, o.Forensics = t.TempDir(), false
	s := newStory(t, simulator.Config{Seed: 1, Tokens: 5, Immediate: true, End: storyBegin.Add(45 * time.Minute)}, o, abs.Exclusive)
	s.until(20 * time.Minute)
	before, saved, path := s.counted(), s.state.saved, s.state.path
	good, err := os.ReadFile(path)
	if err != nil || before == 0 {
		t.Fatalf("%d counted, %v", before, err)
	}
	s.o.StateDir = readOnlyDir(t, filepath.Base(path), good)
	for range 2 { // the second start finds what the first found
		s.restart()
		if s.counted() != before {
			t.Fatalf("%d were exposed before, %d after the start", before, s.counted())
		}
		s.shows(`abs_exporter_state_save_failures_total{target="t"} 1`)
		if got := s.state.saved; !got.Equal(saved) {
			t.Errorf("last saved at %v, want %v", got, saved)
		}
		s.until(s.clock.Now().Sub(storyBegin) + 10*time.Minute)
		if s.counted() != before {
			t.Errorf("%d were exposed before, %d without a save", before, s.counted())
		}
	}
	s.state.path = path // there is room again
	s.until(60 * time.Minute)
	if s.counted() != s.truth() {
		t.Errorf("%d of %d are exposed after a save", s.counted(), s.truth())
	}
}

// A first start exposes zeros, as a start that can save does, and no value before a save.
func TestFirstStartWhereNothingCanBeSaved(t *testing.T) {
	o := defaults()
	o.StateDir, o.Forensics, o.Lookback = readOnlyDir(t, filepath.Base(statePath("", "t")), nil), false, time.Hour
	if err := os.Remove(statePath(o.StateDir, "t")); err != nil {
		t.Fatal(err)
	}
	s := newStory(t, simulator.Config{Seed: 1, Tokens: 5, Immediate: true}, o, abs.Exclusive)
	s.shows(`abs_requests_total{target="t"} 0`, `abs_token_requests_total{target="t",token="_other"} 0`)
	s.until(10 * time.Minute)
	s.shows(`abs_requests_total{target="t"} 0`)
}

// What is no state file is refused by name, without waiting for a writer, and without reading what
// may be any size.
func TestStateIsARegularFile(t *testing.T) {
	sparse := func(header []byte) func(string) error {
		return func(path string) error {
			if err := os.WriteFile(path, header, 0o600); err != nil {
				return err
			}
			return os.Truncate(path, 1<<40)
		}
	}
	whole, err := encodeState(&savedState{Target: "t"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, says string
		create     func(path string) error
	}{
		{"a FIFO", "is not a regular file", func(path string) error { return syscall.Mkfifo(path, 0o600) }},
		{"a directory", "is not a regular file", func(path string) error { return os.Mkdir(path, 0o700) }},
		{"a terabyte of zeros", "does not begin as a state file does", sparse(nil)},
		{"a terabyte behind a state", "damaged", sparse(whole)},
		{"a terabyte of another version", "version 99", sparse(append([]byte(stateMagic), 0, 0, 0, 99))},
		{"no ledger", "no counters", func(path string) error { return os.WriteFile(path, whole, 0o600) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := statePath(dir, "t")
			if err := tt.create(path); err != nil {
				t.Skip(err) // a file system without files of that size
			}
			ended := make(chan error, 2)
			go func() {
				_, err := newStateFile(dir, Target{Name: "t"}, nil).load()
				ended <- err
				findOrphans(dir, nil, nil) // the file of a target that is not configured does not hang either
				ended <- nil
			}()
			for i := range 2 {
				select {
				case err := <-ended:
					if i == 0 && (err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), path)) {
						t.Errorf("%v, want the name and %q", err, tt.says)
					}
				case <-time.After(2 * time.Minute):
					t.Fatal("it hangs")
				}
			}
		})
	}
}

// A target may have the longest name that a host has.
func TestLongNamesHaveStateFiles(t *testing.T) {
	dir := t.TempDir()
	paths := map[string]bool{}
	for _, name := range []string{
		strings.Repeat("a", 253), strings.Repeat("a", 252) + "b", strings.Repeat("é", 126), strings.Repeat("/", 253), "..",
	} {
		f := newStateFile(dir, Target{Name: name}, nil)
		if err := f.write(&savedState{Target: name}); err != nil {
			t.Errorf("%d bytes: %v", len(name), err)
		}
		if match, err := filepath.Match(filepath.Join(dir, StatePattern), f.path); err != nil || !match {
			t.Errorf("%s is not found as a state, %v", f.path, err)
		}
		paths[f.path] = true
	}
	if len(paths) != 5 {
		t.Errorf("%d files for 5 names", len(paths))
	}
}
