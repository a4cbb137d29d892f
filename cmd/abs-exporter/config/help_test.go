package config

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// helpOf returns what is written for arguments that ask for help.
func helpOf(t *testing.T, args ...string) string {
	t.Helper()
	t.Setenv("COLUMNS", "80")
	var stdout bytes.Buffer
	if command, err := Parse(args, time.Now(), &stdout); command != nil || err != nil {
		t.Fatalf("%q: %v, %v", args, command, err)
	}
	return stdout.String()
}

// What users see who ask for help.
func TestHelp(t *testing.T) {
	cleanEnv(t)
	for golden, args := range map[string][]string{
		"help.txt": {"--help"}, "help-serve.txt": {"serve", "--help"}, "help-demo.txt": {"demo", "--help"}, "help-completion.txt": {"completion", "--help"},
	} {
		got, golden := helpOf(t, args...), "testdata/golden/"+golden
		if *update {
			write(t, golden, got)
		}
		if want, err := os.ReadFile(golden); err != nil || got != string(want) {
			t.Errorf("%s is not current (%v); write it anew with: go test ./cmd/abs-exporter/config -run TestHelp -update\ngot:\n%s", golden, err, got)
		}
	}
	for _, same := range [][2][]string{{{"help"}, {"--help"}}, {{"help", "serve"}, {"serve", "--help"}}, {{"help", "check"}, {"check", "-h"}}} {
		if a, b := helpOf(t, same[0]...), helpOf(t, same[1]...); a != b || a == "" {
			t.Errorf("%q and %q differ:\n%s\n%s", same[0], same[1], a, b)
		}
	}
	if got := refused(t, t.TempDir(), "help", "chekc"); got != "help: there is no command chekc; did you mean check?" {
		t.Error(got)
	}
}

// The long help has every flag, the short one those used most and the command's own.
func TestHelpIsShort(t *testing.T) {
	cleanEnv(t)
	parser, err := newParser(io.Discard, func(int) {}, &asked{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range parser.Model.Children {
		short, long, shared := helpOf(t, c.Name, "--help"), helpOf(t, c.Name, "--help-long"), 0
		if strings.Contains(long, "($-") {
			t.Errorf("%s --help-long names a variable that there is not:\n%s", c.Name, long)
		}
		for _, flag := range c.Flags {
			name := "--" + flag.Name
			if flag.Tag.Negatable != "" {
				name = "--[no-]" + flag.Name
			}
			if !strings.Contains(long, " "+name) {
				t.Errorf("%s --help-long lacks %s", c.Name, name)
			}
			if got, want := strings.Contains(short, " "+name), inShortHelp(c.Name, flag); got != want && !strings.Contains(short, " "+name+"-") {
				t.Errorf("%s --help has %s: %t, want %t", c.Name, name, got, want)
			}
			if flag.Group != nil && inShortHelp(c.Name, flag) && c.Name == "serve" {
				shared++
			}
		}
		if c.Name == "serve" && shared != 10 {
			t.Errorf("serve --help has %d flags, want 10", shared)
		}
	}
}

// Each command has examples, with flags that it has.
func TestExamples(t *testing.T) {
	parser, err := newParser(io.Discard, func(int) {}, &asked{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range parser.Model.Children {
		all := examples()[c.Name]
		if len(all) == 0 {
			t.Errorf("%s has no example", c.Name)
		}
		flags := flagsByName(c.Flags)
		for _, example := range all {
			words := strings.Fields(example)
			if c.Name != "serve" && !strings.Contains(example, "abs-exporter "+c.Name) {
				t.Errorf("%s: %q is of another command", c.Name, example)
			}
			for _, word := range words {
				if name, isFlag := strings.CutPrefix(word, "--"); isFlag {
					name, _, _ = strings.Cut(name, "=")
					if flags[name] == nil {
						t.Errorf("%s: %q has the unknown flag --%s", c.Name, example, name)
					}
				}
			}
		}
	}
}

func TestVersionFlag(t *testing.T) {
	cleanEnv(t)
	for _, args := range [][]string{{"--version"}, {"serve", "--version"}, {"check", "--version", "--abs.url=nonsense"}} {
		if _, ok := mustParse(t, args).(*Version); !ok {
			t.Errorf("%q does not ask for the version", args)
		}
	}
}

func mustParse(t *testing.T, args []string) any {
	t.Helper()
	command, err := Parse(args, time.Now(), io.Discard)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return command
}
