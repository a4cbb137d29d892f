package config

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

func TestBadFiles(t *testing.T) {
	cleanEnv(t)
	messages := map[string][]string{
		"unknown-key.yml": {":3: key collect.intervall: unknown key"},
		"several.yml": {
			`:2: key abs.rate: expected a float but got "fast" (string)`,
			`:3: key abs.user: must be one of admin, restricted but got "root"`,
			":4: key abs.nope: unknown key",
			":5: key collect: expected a mapping but got a value",
			":7: key forensics.enabled: bool value must be true, 1, yes, false, 0 or no but got \"perhaps\"",
		},
		"not-yaml.yml": {":2: not YAML: did not find expected key"},
		"secret.yml": {
			":3: key abs.access-key: keys are not written here; name a file with abs.access-key-file",
			":4: key abs.secret-key: keys are not written here; name a file with abs.secret-key-file",
		},
		"twice.yml":           {":3: key log: given twice, first on line 1"},
		"no-value.yml":        {`:2: key state.dir: has no value; write "" for an empty one`},
		"list-for-value.yml":  {":2: key abs.timeout: expected a value but got a list"},
		"nested-list.yml":     {":2: key series.dimensions: expected a list of values but got a list in it"},
		"two-documents.yml":   {":2: a second document begins here; only one is read"},
		"targets-empty.yml":   {":1: key targets: the list is empty"},
		"targets-mapping.yml": {":2: key targets: expected a list but got a mapping"},
		"targets-wrong.yml": {
			":2: key targets[0].url: is missing",
			":6: key targets[1].url: is no URL of the form https://host:port or http://host:port",
			`:13: key targets[2].timezone: unknown time zone "Mars/Olympus"`,
			`:9: key targets[2].name: "b" is the name of targets[1] too; two targets need two names`,
		},
		"targets-unknown.yml": {
			":2: key targets[0].abs.url: unknown key",
			":3: key targets[0].collect: unknown key",
			":4: key targets[0].tls.ca: unknown key",
		},
		"targets-shared.yml":  {":4: key abs.timeout: must be above 0s but is 0s"},
		"targets-and-url.yml": {":2: key abs.url: is given beside the list targets; only one of them may be"},
		"rules.yml": {
			":6: key collect.slot: must be whole minutes that divide a day, such as 10m, 30m or 1h, but is 7m0s",
			":8: key series.max-values: must be 1 or more but is 0",
		},
		"alias-loop.yml": {":2: key abs.tls.tls: unknown key"},
	}
	files, err := os.ReadDir("testdata/bad")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(messages) {
		t.Errorf("%d files and %d messages", len(files), len(messages))
	}
	for _, f := range files {
		t.Run(f.Name(), func(t *testing.T) {
			dir := keyFiles(t)
			text, err := os.ReadFile(filepath.Join("testdata/bad", f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, f.Name()), strings.ReplaceAll(string(text), "DIR", dir))
			var want []string
			for _, m := range messages[f.Name()] {
				want = append(want, "DIR/"+f.Name()+m)
			}
			got := refused(t, dir, "--config=DIR/"+f.Name())
			if want := strings.Join(want, "\n"); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if strings.Contains(got, "hunter2") {
				t.Error("a message repeats a key")
			}
		})
	}
}

// sampleName is the file that docs/configuration.md shows.
const sampleName = "testdata/abs-exporter.yml"

func TestSampleFile(t *testing.T) {
	cleanEnv(t)
	text, err := os.ReadFile(sampleName)
	if err != nil {
		t.Fatal(err)
	}
	// The sample names files that exist only where it is used; here they are written to a temporary
	// directory.
	_, certificate, _, err := simulator.SelfSigned("localhost")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	sample := strings.ReplaceAll(string(text), "/etc/abs-exporter/", dir+"/")
	for _, name := range []string{"production-access-key", "production-secret-key", "test-access-key", "test-secret-key"} {
		write(t, filepath.Join(dir, name), name+"\n")
	}
	write(t, filepath.Join(dir, "ca.pem"), string(certificate))
	write(t, filepath.Join(dir, "web.yml"), "")
	write(t, filepath.Join(dir, "abs-exporter.yml"), sample)
	s := parsed[Serve](t, "--config="+filepath.Join(dir, "abs-exporter.yml")).Settings
	if len(s.Targets) != 2 {
		t.Fatalf("%d targets", len(s.Targets))
	}
	a, b := s.Targets[0], s.Targets[1]
	if a.Name != "production" || a.Location.String() != "Europe/Berlin" || a.TLS.CAFile == "" || a.TLS.Fingerprint != "" || a.User != "admin" || a.Rate != 10 {
		t.Errorf("first target: %+v", a.ABS)
	}
	if b.Name != "test" || b.Location.String() != "UTC" || b.TLS.CAFile != "" || b.TLS.Fingerprint == "" || !b.Restricted() || b.Rate != 10 {
		t.Errorf("second target: %+v", b.ABS)
	}
	if s.ABS.Name != "" || s.ABS.TLS != (TLS{}) || len(s.Web.ListenAddress) != 2 || s.Log.Format != "json" {
		t.Errorf("a target's settings apply to all: %+v", s)
	}
}

// Whatever a file holds, it is either parsed or refused with messages that name its lines.
func FuzzFile(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.yml", "testdata/*.yml"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Add([]byte("targets: [&a {tls: *a}, *a]"))
	f.Add([]byte("? [a]\n: b"))
	f.Add([]byte("<<: {log: {level: info}}"))
	flags := commandFlags(f, "demo")
	f.Fuzz(func(t *testing.T, data []byte) {
		parsed, err := parseFile("f.yml", data, flags)
		if err != nil {
			errs := []error{err}
			if joined, ok := err.(interface{ Unwrap() []error }); ok {
				errs = joined.Unwrap()
			}
			for _, err := range errs {
				if !strings.HasPrefix(err.Error(), "f.yml:") {
					t.Errorf("a message without a line: %s", err)
				}
			}
			return
		}
		for name := range parsed.values {
			if flagsByName(flags)[name] == nil {
				t.Errorf("it has a value for %q, which is no flag", name)
			}
		}
	})
}

// commandFlags returns the flags of a command.
func commandFlags(t testing.TB, command string) []*kong.Flag {
	t.Helper()
	parser, err := newParser(io.Discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range parser.Model.Children {
		if c.Name == command {
			return c.Flags
		}
	}
	t.Fatalf("there is no command %s", command)
	return nil
}
