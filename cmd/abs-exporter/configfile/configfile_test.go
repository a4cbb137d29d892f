package configfile

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// program is a program with a flag of each kind.
type program struct {
	Config Path
	ABS    struct {
		URL    string
		Rate   float64
		Labels map[string]string
		Key    string `file:""`
	} `embed:"" prefix:"abs."`
	Collect struct {
		Interval time.Duration
	} `embed:"" prefix:"collect."`
	Log struct {
		Names []string
	} `embed:"" prefix:"log."`
}

// parse parses a command line with a file.
func parse(t *testing.T, text string, args ...string) (p program, f File, flags []*kong.Flag, err error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "f.yml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	parser, err := kong.New(&p, kong.Bind(&f), kong.DefaultEnvars("CONFIGFILE"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(append(args, "--config="+name))
	return p, f, parser.Model.Flags, err
}

// A flag takes precedence over its variable, and the variable over the file.
func TestPrecedence(t *testing.T) {
	t.Setenv("CONFIGFILE_ABS_RATE", "2")
	p, f, _, err := parse(t, "abs: {url: 'file', rate: 3, key: secret}\ncollect: {interval: 3m}\nlog: {names: [a, 'b,c']}\n", "--collect.interval=1m")
	if err != nil {
		t.Fatal(err)
	}
	if p.ABS.URL != "file" || p.ABS.Rate != 2 || p.Collect.Interval != time.Minute || !reflect.DeepEqual(p.Log.Names, []string{"a", "b,c"}) {
		t.Errorf("parsed as %+v", p)
	}
	if want := filepath.Join(filepath.Dir(f.Name), "secret"); p.ABS.Key != want {
		t.Errorf("the relative path is %s, want %s", p.ABS.Key, want)
	}
	if got, want := f.Origin(f.Values["collect.interval"].Line, "collect.interval"), f.Name+":2: key collect.interval"; got != want {
		t.Errorf("it is from %s, want %s", got, want)
	}
}

// The entries of the list set what they have, a map as a whole.
func TestTargets(t *testing.T) {
	p, f, _, err := parse(t, "abs: {labels: {env: prod, team: a}}\ntargets:\n- {url: one, labels: {team: b}}\n- {url: two, collect: {interval: 5m}}\n")
	if err != nil || len(f.Targets) != 2 {
		t.Fatalf("%+v, %v", f, err)
	}
	parser, err := kong.New(&p)
	if err != nil {
		t.Fatal(err)
	}
	flags := map[string]*kong.Flag{}
	for _, flag := range parser.Model.Flags {
		flags[flag.Name] = flag
	}
	for i, entry := range f.Targets {
		if err := entry.Set(flags); err != nil {
			t.Errorf("entry %d: %v", i, err)
		}
	}
	if p.ABS.URL != "two" || p.Collect.Interval != 5*time.Minute || !reflect.DeepEqual(p.ABS.Labels, map[string]string{"team": "b"}) {
		t.Errorf("set to %+v", p)
	}
}

// Each problem has a line of its own.
func TestProblems(t *testing.T) {
	_, _, flags, err := parse(t, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Parse("f.yml", []byte("abs: {rate: fast}\ncolect: {}\ntargets:\n- {collect: {interval: never}, x: 1}\n"), flags)
	want := `f.yml:1: key abs.rate: expected a float but got "fast" (string)
f.yml:2: key colect: unknown key; did you mean collect?
f.yml:4: key targets[0].collect.interval: expected duration but got "never": time: invalid duration "never"
f.yml:4: key targets[0].x: unknown key`
	if err == nil || err.Error() != want {
		t.Errorf("says\n%v\nwant\n%s", err, want)
	}
}

// What is written is read as the same values.
func TestMarshal(t *testing.T) {
	text, err := Marshal([]Setting{
		{Key: "abs.rate", Text: "3", Comment: "default"},
		{Key: "log.names", Kind: yaml.SequenceNode, Items: []string{"a", "b: c"}},
		{Key: TargetKey(0, "abs.url"), Text: "yes"},
		{Key: TargetKey(1, "abs.labels"), Kind: yaml.MappingNode, Items: []string{"env=prod"}},
		{Key: TargetKey(1, "collect.interval"), Text: "", Comment: "--collect.interval"},
	})
	const want = `abs:
    rate: 3 # default
log:
    names: [a, 'b: c']
targets:
    - url: yes
    - labels: {env: prod}
      collect:
        interval: "" # --collect.interval
`
	if err != nil || string(text) != want {
		t.Fatalf("%v, written as\n%s", err, text)
	}
	_, f, _, err := parse(t, "abs: {rate: 3}\ntargets: [{url: yes}]\n")
	if err != nil || f.Targets[0].Values["abs.url"].Text != "yes" {
		t.Errorf("%v, read as %+v", err, f)
	}
}
