package test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/test/tools"
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

// saved runs an exporter that keeps its state in dir until it has counted, and returns the name of
// the state file.
func saved(t *testing.T, dir string, flags []string) string {
	t.Helper()
	e := startServe(t, nil, flags...)
	counted(t, e)
	if status, _ := e.terminate(t); status != 0 {
		t.Fatalf("it ended with status %d", status)
	}
	names, err := filepath.Glob(filepath.Join(dir, "counters-*.state"))
	if err != nil || len(names) != 1 {
		t.Fatalf("state files: %v, %v", names, err)
	}
	return names[0]
}

// A state that cannot be read is not replaced by an empty one: nobody would know why the counters
// fell. It stays as it is, for someone with a copy or a debugger.
func TestDamagedStateIsRefused(t *testing.T) {
	t.Parallel()
	sim, flags := busyABS(t)
	dir := t.TempDir()
	flags = append(flags, "--state.dir="+dir)
	state := saved(t, dir, flags)
	good, err := os.ReadFile(state)
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
			if err := os.WriteFile(state, tc.text, 0o600); err != nil {
				t.Fatal(err)
			}
			before, calls := contents(t, dir), sim.Stats().Calls["oauthtokens"]
			p := start(t, nil, append([]string{"serve", "--web.listen-address=127.0.0.1:0"}, flags...)...)
			if status := p.status(t); status != 1 {
				t.Errorf("it ended with status %d, want 1", status)
			}
			says(t, p, "state file "+state+": ")
			if after := contents(t, dir); !maps.Equal(after, before) {
				t.Errorf("files were written to, or are gone: there are %q, and were %q",
					slices.Sorted(maps.Keys(after)), slices.Sorted(maps.Keys(before)))
			}
			if now := sim.Stats().Calls["oauthtokens"]; now != calls {
				t.Error("ABS was read all the same")
			}
		})
	}

	if err := os.WriteFile(state, good, 0o600); err != nil {
		t.Fatal(err)
	}
	counted(t, startServe(t, nil, flags...)) // the copy is as good as ever
}

// On a full or read-only disk the counters of the good state are served at once and stand still;
// once there is room, they go on. A limit of 0 for the size of files stands for the disk.
func TestStartOnAFullDisk(t *testing.T) {
	t.Parallel()
	sim, flags := busyABS(t)
	flags = append(flags, "--state.dir="+t.TempDir())
	first := startServe(t, nil, flags...)
	counted(t, first)
	if status, _ := first.terminate(t); status != 0 {
		t.Fatalf("it ended with status %d", status)
	}

	args := append([]string{"-c", `ulimit -f 0; exec "$0" "$@"`, tools.Binary(t), "serve", "--web.listen-address=127.0.0.1:0"}, flags...)
	full := startCommand(t, nil, "sh", args...).serving(t)
	before, ok := full.value(t, `abs_requests_total{target="test"}`)
	if !ok || before == 0 {
		t.Fatalf("abs_requests_total is %v, %v at once after the start", before, ok)
	}
	counted(t, full)
	calls := sim.Stats().Calls["oauthtokens"]
	until(t, "ABS is asked on", func() bool { return sim.Stats().Calls["oauthtokens"] > calls+5 })
	if now, _ := full.value(t, `abs_requests_total{target="test"}`); now != before {
		t.Errorf("abs_requests_total was %v and is %v, although nothing can be saved", before, now)
	}
	if n, _ := full.value(t, `abs_exporter_state_save_failures_total{target="test"}`); n == 0 {
		t.Error("no failed save is counted")
	}
	if status, took := full.terminate(t); status != 0 || took > soon {
		t.Errorf("it ended with status %d after %v", status, took)
	}

	again := startServe(t, nil, flags...)
	until(t, "the counters go on", func() bool {
		now, _ := again.value(t, `abs_requests_total{target="test"}`)
		return now > before
	})
}

// What is no regular file is refused by name in place of a state, a lock or a key, and never waited
// for.
func TestFilesThatAreNoFiles(t *testing.T) {
	t.Parallel()
	_, flags := busyABS(t)
	dir := t.TempDir()
	state := saved(t, dir, append(flags, "--state.dir="+dir))
	without := func(name string) (kept []string) {
		for _, f := range flags {
			if !strings.HasPrefix(f, name) {
				kept = append(kept, f)
			}
		}
		return kept
	}
	for _, tc := range []struct {
		name string
		args func(dir, odd string) []string // odd: the path of what is no file, for what is not in dir
		in   string                         // its name in the state directory
	}{
		{name: "state", in: filepath.Base(state)},
		{name: "lock", in: "lock"},
		{name: "token key", in: "token-id.key"},
		{name: "another token key", args: func(_, odd string) []string { return append(slices.Clone(flags), "--series.token-key-file="+odd) }},
		{name: "access key", args: func(_, odd string) []string {
			return append(without("--abs.access-key-file"), "--abs.access-key-file="+odd)
		}},
		{name: "authorities", args: func(_, odd string) []string {
			return append(without("--abs.tls.fingerprint"), "--abs.tls.ca-file="+odd)
		}},
	} {
		for kind, create := range map[string]func(string) error{
			"FIFO":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
			"directory": func(path string) error { return os.Mkdir(path, 0o700) },
		} {
			t.Run(tc.name+" is a "+kind, func(t *testing.T) {
				t.Parallel()
				own, args := t.TempDir(), flags
				odd := filepath.Join(own, "odd")
				if tc.in == "" {
					args = tc.args(own, odd)
				} else {
					odd = filepath.Join(own, tc.in)
				}
				if tc.name == "state" { // the key that it was made with
					copyFile(t, filepath.Join(dir, "token-id.key"), filepath.Join(own, "token-id.key"))
				}
				refusesFile(t, own, odd, create, args)
			})
		}
	}
}

// refusesFile starts serve with a state directory after odd was created, and expects it to refuse
// that by name.
func refusesFile(t *testing.T, dir, odd string, create func(string) error, args []string) {
	t.Helper()
	if err := create(odd); err != nil {
		t.Fatal(err)
	}
	p := start(t, nil, append([]string{"serve", "--web.listen-address=127.0.0.1:0", "--state.dir=" + dir}, args...)...)
	if status := p.status(t); status != 1 && status != 2 {
		t.Errorf("it ended with status %d", status)
	}
	says(t, p, odd+" is not a regular file")
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A state that others could write is the owner's again after the first save.
func TestStateOfEverybodyBecomesTheOwners(t *testing.T) {
	t.Parallel()
	_, flags := busyABS(t)
	dir := t.TempDir()
	flags = append(flags, "--state.dir="+dir)
	state := saved(t, dir, flags)
	if err := os.Chmod(state, 0o666); err != nil {
		t.Fatal(err)
	}
	startServe(t, nil, flags...)
	if info, err := os.Stat(state); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode().Perm(), err)
	}
}

// The longest name that a host can have makes files that a file system accepts.
func TestLongestTargetName(t *testing.T) {
	t.Parallel()
	_, flags := busyABS(t)
	name := strings.Repeat("a-long-name.", 22)[:253]
	dir := t.TempDir()
	flags = append(flags, "--state.dir="+dir, "--abs.name="+name)
	series := `abs_requests_total{target="` + name + `"}`
	for range 2 {
		e := startServe(t, nil, flags...)
		until(t, "something is counted", func() bool { n, _ := e.value(t, series); return n > 0 })
		if status, _ := e.terminate(t); status != 0 {
			t.Fatalf("it ended with status %d", status)
		}
	}
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
