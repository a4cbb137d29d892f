package config

import (
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// completions has a shell complete a command line, whose last word is being written.
type completions func(t *testing.T, script, line string) []string

func run(t *testing.T, name string, args ...string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return strings.Fields(string(out))
}

func inBash(t *testing.T, script, line string) []string {
	t.Helper()
	// Bash makes words of their own of = in a line.
	words := strings.Split(strings.ReplaceAll(line, "=", " = "), " ")
	if last := len(words) - 1; last > 0 && words[last] == "" && strings.HasSuffix(line, "=") {
		words = words[:last]
	}
	const ask = `set -u; source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _abs_exporter; printf '%s\n' "${COMPREPLY[@]-}"`
	return run(t, "bash", append([]string{"-c", ask, "bash", script}, words...)...)
}

// inZsh runs the function with stand-ins for what zsh offers only while a line is edited.
func inZsh(t *testing.T, script, line string) []string {
	t.Helper()
	const ask = `
compdef() { : }
compadd() { shift; print -l -- "$@" }
_files() { print -- FILES }
compset() { PREFIX=${PREFIX#*=} }
_describe() { [[ $1 == -o ]] && shift; print -l -- ${${(P)2}%%:*} }
source $1; shift
words=("$@"); CURRENT=$#; PREFIX=${words[-1]}
_abs_exporter | while read -r word; do [[ $word == $PREFIX* || $PREFIX == *=* || $word == FILES ]] && print -r -- $word; done; true`
	return run(t, "zsh", append([]string{"-f", "-c", ask, "zsh", script}, strings.Split(line, " ")...)...)
}

func inFish(t *testing.T, script, line string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "fish", "--no-config", "-c", `source $argv[1]; complete -C $argv[2]`, script, line).CombinedOutput()
	if err != nil {
		t.Fatalf("fish: %v\n%s", err, out)
	}
	var words []string
	for row := range strings.Lines(string(out)) {
		word, _, _ := strings.Cut(strings.TrimSpace(row), "\t")
		words = append(words, word)
	}
	return words
}

// The shells themselves complete commands, flags and values.
func TestCompletion(t *testing.T) {
	for shell, complete := range map[string]completions{"bash": inBash, "zsh": inZsh, "fish": inFish} {
		t.Run(shell, func(t *testing.T) {
			if _, err := exec.LookPath(shell); err != nil {
				t.Skip(err)
			}
			script := filepath.Join(t.TempDir(), "script")
			var text strings.Builder
			if err := WriteCompletion(shell, &text); err != nil {
				t.Fatal(err)
			}
			write(t, script, text.String())
			for _, test := range []struct {
				line      string
				has, lack []string
			}{
				{"abs-exporter ", []string{"serve", "check", "completion", "version"}, []string{"bash"}},
				{"abs-exporter ch", []string{"check"}, []string{"serve"}},
				{"abs-exporter help ba", []string{"backfill"}, []string{"serve"}},
				{"abs-exporter --abs.ti", []string{"--abs.timezone", "--abs.timeout"}, []string{"--abs.url", "--offline"}},
				{"abs-exporter serve --no-f", []string{"--no-forensics.enabled"}, []string{"--forensics.enabled"}},
				{"abs-exporter check --off", []string{"--offline"}, nil},
				{"abs-exporter serve --off", nil, []string{"--offline"}},
				{"abs-exporter serve --help-l", []string{"--help-long"}, nil},
				{"abs-exporter serve --log.level ", []string{"debug", "info", "warn", "error"}, []string{"--abs.url", "serve"}},
				{"abs-exporter completion ", []string{"bash", "zsh", "fish"}, []string{"serve", "--help"}},
			} {
				holds(t, test.line, complete(t, script, test.line), test.has, test.lack)
			}
		})
	}
}

func holds(t *testing.T, line string, got, has, lack []string) {
	t.Helper()
	for _, word := range has {
		if !slices.Contains(got, word) {
			t.Errorf("%q: no %s in %q", line, word, got)
		}
	}
	for _, word := range lack {
		if slices.Contains(got, word) {
			t.Errorf("%q: %s in %q", line, word, got)
		}
	}
}

// Each script has each command, and each flag of it.
func TestCompletionHasEachFlag(t *testing.T) {
	parser, err := newParser(io.Discard, func(int) {}, &asked{})
	if err != nil {
		t.Fatal(err)
	}
	for shell, prefix := range map[string]string{"bash": "--", "zsh": "--", "fish": "-l "} {
		var script strings.Builder
		if err := WriteCompletion(shell, &script); err != nil {
			t.Fatal(err)
		}
		for _, command := range parser.Model.Children {
			for _, flag := range command.Flags {
				names := []string{flag.Name}
				if flag.Tag.Negatable != "" {
					names = append(names, "no-"+flag.Name)
				}
				for _, name := range names {
					if !regexp.MustCompile(regexp.QuoteMeta(prefix+name) + `[^a-z.-]`).MatchString(script.String()) {
						t.Errorf("%s: %s of %s is not completed", shell, name, command.Name)
					}
				}
			}
		}
	}
}
