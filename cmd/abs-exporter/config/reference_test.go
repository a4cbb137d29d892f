package config

import (
	"flag"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew")

// docs/configuration.md describes the flags as they are.
func TestReference(t *testing.T) {
	parser, err := newParser(io.Discard, func(int) {}, &asked{})
	if err != nil {
		t.Fatal(err)
	}
	sample, err := os.ReadFile(sampleName)
	if err != nil {
		t.Fatal(err)
	}
	const path = "../../../docs/configuration.md"
	got := reference(parser.Model, string(sample))
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not current: make docs", path)
	}
}

// The reference is made from groups, variables and help texts: each flag must have them.
func TestFlagsAreDescribed(t *testing.T) {
	parser, err := newParser(io.Discard, func(int) {}, &asked{})
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range parser.Model.Children {
		for _, f := range command.Flags {
			env := envPrefix + "_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(f.Name))
			switch {
			case f.Group != nil && slices.Contains([]string{"check", "resolve", "backfill", "assets"}, f.Group.Key):
				if len(f.Tag.Envs) != 0 {
					t.Errorf("--%s belongs to one call, but has the variables %q", f.Name, f.Tag.Envs)
				}
			case len(f.Tag.Envs) != 1 || f.Tag.Envs[0] != env:
				t.Errorf("--%s has the variables %q, want %s", f.Name, f.Tag.Envs, env)
			}
			if f.Group == nil || !strings.HasSuffix(f.Help, ".") {
				t.Errorf("--%s of %s has no group, or its help is no sentence: %q", f.Name, command.Name, f.Help)
			}
			if f.Enum != "" && !strings.Contains(strings.ReplaceAll(f.Help, " or ", ", "), strings.ReplaceAll(f.Enum, ",", ", ")[:3]) {
				t.Errorf("--%s: the help does not name the values %s: %q", f.Name, f.Enum, f.Help)
			}
		}
	}
}

// reference is docs/configuration.md.
func reference(app *kong.Application, sample string) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	commands := map[string]*kong.Node{}
	for _, c := range app.Children {
		commands[c.Name] = c
	}
	serve, demo, simulate := commands["serve"], commands["demo"], commands["simulate"]
	resolve, backfill, assets, check := commands["resolve"], commands["backfill"], commands["assets"], commands["check"]

	p("# Configuration\n")
	p("<!-- Made from the flags by: go test ./cmd/abs-exporter/config -run TestReference -update -->\n")
	p("## Commands\n")
	p("| command | what it does |\n|---|---|")
	for _, c := range app.Children {
		p("| `%s` | %s |", c.Name, cell(c.Help))
	}
	p("\nExit status: 0 done; 1 it failed at run time, or `check` found something to fix; 2 wrong flags or configuration,")
	p("reported before any request is sent.")
	p("A message names the flag or the variable, and for a file its line and key. With `--log.format=json` it is JSON.\n")
	p("`serve` logs a warning for what is valid and probably a mistake: a settle time below an hour, a window above 30 days,")
	p("a forensics rate above the rate, two targets with one URL, a variable `ABS_EXPORTER_*` that sets nothing, and a file")
	p("with a secret that other users may read. The status page and `/config` show each setting, and where it is from.")
	p("")
	p("A mistyped command, flag, variable or key gets a suggestion. `--help` has the flags used most, and `--help-long` all.")
	p("For completion by Tab, put the line of your shell into its start file; for fish, write a file once:\n")
	p("```sh\nsource <(abs-exporter completion bash)  # ~/.bashrc, of bash 4 or later\nsource <(abs-exporter completion zsh)   # ~/.zshrc, after compinit")
	p("abs-exporter completion fish > ~/.config/fish/completions/abs-exporter.fish\n```\n")
	p("## Where settings come from\n")
	p("Each setting is a flag, an environment variable and a key of the YAML file that `--config` names, nested at the dots.")
	p("A flag takes precedence over its variable, the variable over the file, the file over the default.")
	p("Unknown keys, keys given twice and values of a wrong type are refused.\n")
	p("- **duration**: `90s`, `30m`, `2h`, `1h30m`; whole days and weeks in front: `7d`, `1w2d12h`.")
	p("- **size**: a whole number and a unit: `100MB` is 100,000,000 bytes, `100MiB` is 104,857,600.")
	p("- **list**: with commas in a flag or a variable, which may also be repeated as a flag; a list in the file.")
	p("- **switch**: `--x` or `--x=true`, `--x=false`; in variables and in the file `true` or `false`.")
	p("- **list of names and values**: `--x=a=1 --x=b=2`; in a variable `a=1;b=2`; in the file `x: {a: 1, b: 2}`.")
	p("- **file**: a relative path in the file is relative to that file, in a flag or a variable to the working directory.\n")
	p("Proxies, gateways, paths and the rotation of keys and certificates: [connection.md](connection.md).\n")
	p("### Changes without a restart\n")
	p("`serve` reads flags, variables and the file again on SIGHUP, at `POST /-/reload` with `--web.enable-lifecycle`, and")
	p("when the file has changed: within ten seconds, also where it is a link that Kubernetes replaces (a mounted ConfigMap;")
	p("not with `subPath`, which it never updates).\n")
	p("What is wrong changes nothing: the log, the answer (status 400; 500 if it cannot be applied) and")
	p("`abs_exporter_config_last_reload_successful` say so. A good configuration takes effect without a request that is lost")
	p("or counted twice, with a state directory or without:\n")
	p("- a **new target** starts; one that was **removed** ends with its series, and goes on from its state if it is added\n  again;")
	p("- a target with **other settings** takes them at its next cycle. Its counters go on;")
	p("- a target with **other labels or another name** begins new series at 0, with what the former ones did not show yet;")
	p("- other settings take effect at a restart, and the log and the answer name those that differ:\n  %s.\n", strings.Join(atRestart(serve.Flags), ", "))
	p("### Keys of ABS\n")
	p("The access key and the secret key come from two files, or from the variables `%s` and\n`%s`.", envAccessKey, envSecretKey)
	p("They are neither flags nor keys of the file, because every user of a machine can read its command lines, and\nconfiguration files get copied.")
	p("Files take precedence over variables, and are read again when they change. A trailing line break is no part of a key.\n")
	p("### Several targets\n")
	p("The list `targets` of the file has one entry per ABS. An entry has the keys of `abs`, such as `url`, `name` and\n`tls`, without the prefix, and may have `collect`, `series` (less `token-key-file`) and `forensics` of its own.")
	p("What is set outside of the list, by flag, variable or file, applies to every entry that does not override it; an entry\nreplaces a list, or names and values, as a whole.")
	p("With `targets`, `abs.url` must not be set, and no two targets may have the same name.\n")
	p("```yaml\n%s```\n", sample)
	p("### Shards\n")
	p("Where one process is not enough for all targets, start `--targets.shards` processes with the same\nfile: each polls the targets whose names hash to its `--targets.shard`, and every target is polled by exactly one.")
	p("Each needs a state directory of its own, and all need the same `--series.token-key-file`.")
	p("With another number of shards some targets move: from n to n+1 shards one target of n+1, all to the new shard.")
	p("Its state does not move with it. The new shard logs `no state of the target in this shard`: the counters start at 0,\nand what ABS added between the last cycle there and the first one here is not counted, unless `--collect.lookback` covers it.")
	p("The former shard logs `state file of a target of another shard` with the file: move it to the other state directory\nwhile neither process runs, and the counters go on as after a restart.")
	p("A target that moves back finds its old file: remove it before, or what the other shard counted in between, back to\n`--collect.max-backfill`, is counted again.\n")
	p("`check` and `resolve` look at the targets of all shards.\n")
	p("## Settings of `serve` and `demo`\n")
	for _, group := range flagGroups() {
		switch group.Key {
		case "simulate", "check", "resolve", "backfill", "assets":
		default:
			table(p, group, serve.Flags)
		}
	}
	p("## Settings of `check`, `resolve`, `backfill` and `assets`\n")
	p("`check` accepts the settings of `serve` as well, and asks every target; [check.md](check.md) lists its questions.\n")
	p("`resolve TOKEN_ID` and `backfill` accept the settings of `serve` as well: start them with the same ones, and the same")
	p("tokens have the same ids. They need the key of the token ids that `serve` uses (`--series.token-key-file`, or\n`--state.dir`) and generate none. [backfill.md](backfill.md) is the way from ABS's reports to a Prometheus.\n")
	p("`resolve --ip ADDRESS` prints, in place of one token, those that an address used: the id, its requests from the address")
	p("and from all, the APIs, and the attacks that the attack reports name. No series has an address unless\n`--series.dimensions` names `ip`; to notice such an address, watch `abs_window_ips` beside\n`abs_window_tokens`. Anomalies and paths of a token: `resolve TOKEN_ID`.\n")
	for _, group := range flagGroups() {
		switch group.Key {
		case "check":
			table(p, group, check.Flags)
		case "resolve":
			table(p, group, resolve.Flags)
		case "backfill":
			table(p, group, backfill.Flags)
		case "assets":
			table(p, group, assets.Flags)
		}
	}
	p("## Defaults of `demo`\n")
	p("`demo` has its own ABS, so it refuses `abs.url`, the key files, `abs.timezone`, `abs.window-end`, `abs.response-cap`\n`abs.tls` and `targets`;")
	p("variables for these are ignored. Its defaults make things happen within seconds:\n")
	p("| flag | default of `serve` | default of `demo` |\n|---|---|---|")
	ofServe := flagsByName(serve.Flags)
	for _, f := range demo.Flags {
		if s, ok := ofServe[f.Name]; ok && s.Default != f.Default {
			own := code(f.Default)
			if f.Name == "state.dir" {
				own = "a temporary directory, removed at the end"
			}
			p("| `--%s` | %s | %s |", f.Name, code(s.Default), own)
		}
	}
	p("\n## Settings of the simulated ABS\n")
	p("`simulate` has all of these, and `demo` all but those of the listener. They are no keys of a file for `serve`.\n")
	for _, group := range flagGroups() {
		if group.Key == "simulate" {
			table(p, group, simulate.Flags)
		}
	}
	p("`demo` has other defaults:\n")
	p("| flag | default of `simulate` | default of `demo` |\n|---|---|---|")
	ofSimulate := flagsByName(simulate.Flags)
	for _, f := range demo.Flags {
		if s, ok := ofSimulate[f.Name]; ok && s.Default != f.Default {
			p("| `--%s` | %s | %s |", f.Name, code(s.Default), code(f.Default))
		}
	}
	return b.String()
}

// atRestart returns the sections and settings that are not read again.
func atRestart(flags []*kong.Flag) (names []string) {
	wholly := map[string]bool{}
	for _, f := range flags {
		section, _, _ := strings.Cut(f.Name, ".")
		if _, seen := wholly[section]; !seen {
			wholly[section] = true
		}
		wholly[section] = wholly[section] && !reloaded(f.Name)
	}
	named := map[string]bool{}
	for _, f := range flags {
		section, _, found := strings.Cut(f.Name, ".")
		name := "`" + f.Name + "`"
		switch {
		case !found || reloaded(f.Name):
			continue
		case wholly[section]:
			name = "`" + section + ".*`"
		}
		if !named[name] {
			named[name] = true
			names = append(names, name)
		}
	}
	return names
}

func table(p func(string, ...any), group kong.Group, flags []*kong.Flag) {
	p("### %s\n", group.Title)
	if group.Description != "" {
		p("%s\n", wrap(group.Description))
	}
	p("| flag and variable | type | default | meaning |\n|---|---|---|---|")
	for _, f := range flags {
		if f.Group == nil || f.Group.Key != group.Key {
			continue
		}
		if len(f.Tag.Envs) == 0 {
			p("| `--%s` | %s | %s | %s |", f.Name, typeOf(f), defaultOf(f), cell(f.Help))
			continue
		}
		p("| `--%s`<br>`%s`<br>%s | %s | %s | %s |", f.Name, f.Tag.Envs[0], yamlKey(f.Name), typeOf(f), defaultOf(f), cell(f.Help))
	}
	p("")
}

// yamlKey is how the setting stands in the file.
func yamlKey(name string) string {
	if name == "config" || strings.HasPrefix(name, "targets.") {
		return "no key"
	}
	parts := strings.Split(name, ".")
	return "`" + strings.Join(parts[:len(parts)-1], ": {") + ": {" + parts[len(parts)-1] + ": …" + strings.Repeat("}", len(parts)-1) + "`"
}

func typeOf(f *kong.Flag) string {
	switch {
	case f.Enum != "":
		return "`" + strings.Join(f.EnumSlice(), "`, `") + "`"
	case f.Target.Type() == reflect.TypeFor[time.Duration]():
		return "duration"
	case f.Target.Type() == reflect.TypeFor[ByteSize]():
		return "size"
	case f.IsBool():
		return "switch"
	case f.IsCumulative():
		return "list"
	case f.Target.Kind() == reflect.Float64:
		return "number"
	case f.Target.CanInt() || f.Target.CanUint():
		return "whole number"
	default:
		return "text"
	}
}

func defaultOf(f *kong.Flag) string {
	if f.IsBool() && f.Default == "" {
		return "`false`"
	}
	return code(f.Default)
}

func code(s string) string {
	if s == "" {
		return "none"
	}
	return "`" + strings.ReplaceAll(s, "|", `\|`) + "`"
}

// cell is text for a cell of a Markdown table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "_other", "`_other`", "[{", "`[{", "}].", "}]`.").Replace(s)
}

// wrap breaks a paragraph into lines of at most 120 characters.
func wrap(text string) string {
	var b strings.Builder
	width := -1
	for _, word := range strings.Fields(text) {
		switch {
		case width < 0:
		case width+1+len(word) > 120:
			b.WriteByte('\n')
			width = -1
		default:
			b.WriteByte(' ')
		}
		b.WriteString(word)
		width += 1 + len(word)
	}
	return b.String()
}
