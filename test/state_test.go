package test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// busyABS reports all of its requests at once, so that the first cycle counts them. The flags make
// cycles short.
func busyABS(t *testing.T) (sim *simulator.Simulator, flags []string) {
	t.Helper()
	sim = simulator.New(simulator.Config{Tokens: 20, Rate: 600, Immediate: true})
	flags = startABS(t, sim, nil)
	flags = append(append(flags, keyFiles(t, "abs_ak", "abs_sk")...),
		"--collect.interval=1s", "--collect.reread=1s", "--collect.lookback=1h", "--forensics.rate=100")
	return sim, flags
}

// counted waits until the exporter has counted something, and returns its token ids.
func counted(t *testing.T, e *exporter) (ids []string) {
	t.Helper()
	series := regexp.MustCompile(`(?m)^abs_token_requests_total\{target="test",token="([0-9a-f]{16})"\} [1-9]`)
	until(t, "tokens have counts", func() bool {
		ids = nil
		for _, m := range series.FindAllStringSubmatch(e.get(t, "metrics"), -1) {
			ids = append(ids, m[1])
		}
		return len(ids) > 0
	})
	slices.Sort(ids)
	return ids
}

// A restart continues with the same counters and the same token ids. Only the owner can read its
// state.
func TestStateOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	_, flags := busyABS(t)
	dir := filepath.Join(t.TempDir(), "made", "by", "it")
	flags = append(flags, "--state.dir="+dir)

	first := startServe(t, nil, flags...)
	ids := counted(t, first)
	before, _ := first.value(t, `abs_requests_total{target="test"}`)
	if status, _ := first.terminate(t); status != 0 {
		t.Fatalf("it ended with status %d", status)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v, %v; want 0700", info.Mode().Perm(), err)
	}
	files := contents(t, dir)
	if len(files) < 3 { // counters, the key, the lock
		t.Errorf("the state is only %d files", len(files))
	}
	for name := range files {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v; want 0600", name, info.Mode().Perm(), err)
		}
	}

	second := startServe(t, nil, flags...)
	// At once, from the state: nothing has to be read again first.
	if after, ok := second.value(t, `abs_requests_total{target="test"}`); !ok || after < before {
		t.Errorf("abs_requests_total is %v after the restart, and was %v", after, before)
	}
	again := counted(t, second)
	for _, id := range ids {
		if !slices.Contains(again, id) {
			t.Errorf("the token id %s is gone after the restart", id)
		}
	}
	if key := "token-id.key"; contents(t, dir)[key] != files[key] || files[key] == "" {
		t.Error("the key of the token ids was not kept")
	}
}

// Two processes that count into one directory would overwrite each other's counters.
func TestSecondProcessOnOneStateIsRefused(t *testing.T) {
	t.Parallel()
	_, flags := busyABS(t)
	dir := t.TempDir()
	flags = append(flags, "--state.dir="+dir)
	first := startServe(t, nil, flags...)
	counted(t, first)

	second := start(t, nil, append([]string{"serve", "--web.listen-address=127.0.0.1:0"}, flags...)...)
	if status := second.status(t); status != 1 {
		t.Errorf("the second process ended with status %d, want 1", status)
	}
	says(t, second, "abs-exporter: error: another abs-exporter is running with the state directory "+dir)

	first.get(t, "metrics") // it is still there
	if status, _ := first.terminate(t); status != 0 {
		t.Errorf("the first ended with status %d", status)
	}
	third := startServe(t, nil, flags...) // the directory is free again
	counted(t, third)
}

// A state that cannot be read is not replaced by an empty one: nobody would know why the counters
// fell. It stays as it is, for someone with a copy or a debugger.
func TestDamagedStateIsRefused(t *testing.T) {
	t.Parallel()
	sim, flags := busyABS(t)
	dir := t.TempDir()
	flags = append(flags, "--state.dir="+dir)
	e := startServe(t, nil, flags...)
	counted(t, e)
	if status, _ := e.terminate(t); status != 0 {
		t.Fatalf("it ended with status %d", status)
	}
	names, err := filepath.Glob(filepath.Join(dir, "counters-*.state"))
	if err != nil || len(names) != 1 {
		t.Fatalf("state files: %v, %v", names, err)
	}
	good, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(good)
	flipped[len(flipped)/2] ^= 1
	for _, tc := range []struct {
		name string
		text []byte
	}{
		{"empty", nil},
		{"cut", good[:len(good)-1]},
		{"longer", append(slices.Clone(good), 0)},
		{"one bit is wrong", flipped},
		{"another file", []byte("something else altogether, and long enough to have room for a header of it all\n")},
	} {
		t.Run(tc.name, func(t *testing.T) { // in sequence: they share the directory
			if err := os.WriteFile(names[0], tc.text, 0o600); err != nil {
				t.Fatal(err)
			}
			before, calls := contents(t, dir), sim.Stats().Calls["oauthtokens"]
			p := start(t, nil, append([]string{"serve", "--web.listen-address=127.0.0.1:0"}, flags...)...)
			if status := p.status(t); status != 1 {
				t.Errorf("it ended with status %d, want 1", status)
			}
			says(t, p, "state file "+names[0]+": ")
			if after := contents(t, dir); !maps.Equal(after, before) {
				t.Errorf("files were written to, or are gone: there are %q, and were %q",
					slices.Sorted(maps.Keys(after)), slices.Sorted(maps.Keys(before)))
			}
			if now := sim.Stats().Calls["oauthtokens"]; now != calls {
				t.Error("ABS was read all the same")
			}
		})
	}

	if err := os.WriteFile(names[0], good, 0o600); err != nil {
		t.Fatal(err)
	}
	counted(t, startServe(t, nil, flags...)) // the copy is as good as ever
}

// says checks that the last line of the process's log contains the text.
func says(t *testing.T, p *process, text string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(p.stderr.String()), "\n")
	if last := lines[len(lines)-1]; !strings.Contains(last, text) {
		t.Errorf("its last line is\n%s\nand has no\n%s", last, text)
	}
}

// contents returns the files below a directory, by their paths from there.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, path))
		files[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
