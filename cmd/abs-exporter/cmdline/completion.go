package cmdline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// CompletionScript returns the script that has a shell complete commands, flags and their values.
// It is made from the same description as the flags, and starts no process. The shell is bash, zsh
// or fish.
func CompletionScript(shell string, app *kong.Application) string {
	return map[string]func(*kong.Application) string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}[shell](app)
}

// allFlags are the flags of a command and those of all commands.
func allFlags(app *kong.Application, command *kong.Node) []*kong.Flag {
	return append(slices.Clone(app.Flags), command.Flags...)
}

// written are the ways to write a flag.
func written(flag *kong.Flag) []string {
	if flag.Tag.Negatable != "" {
		return []string{"--" + flag.Name, "--no-" + flag.Name}
	}
	return []string{"--" + flag.Name}
}

func isFile(flag *kong.Flag) bool {
	return flag.Tag.Has("file") || flag.PlaceHolder == "FILE" || flag.PlaceHolder == "DIR"
}

// firstSentence is the help of a flag or a command, as a shell shows it beside the name.
func firstSentence(help string) string {
	first, _, _ := strings.Cut(help, ". ")
	return strings.TrimSuffix(first, ".")
}

// values returns a case of a shell's case statement for each flag with values to choose from, and
// one for all with files.
func valueCases(app *kong.Application, choose, files string) string {
	var b strings.Builder
	var withFiles []string
	seen := map[string]bool{}
	for _, command := range app.Children {
		for _, flag := range command.Flags {
			switch pattern := "--" + flag.Name; {
			case seen[command.Name+pattern]:
			case flag.Enum != "" && command.Name == "serve" || flag.Enum != "" && !inServe(app, flag.Name):
				fmt.Fprintf(&b, "    %s) "+choose+"; return;;\n", pattern, strings.Join(flag.EnumSlice(), " "))
			case isFile(flag) && !slices.Contains(withFiles, pattern):
				withFiles = append(withFiles, pattern)
			}
		}
	}
	fmt.Fprintf(&b, "    %s) "+files+"; return;;\n", strings.Join(withFiles, "|"))
	return b.String()
}

func inServe(app *kong.Application, name string) bool {
	return slices.ContainsFunc(app.Children, func(c *kong.Node) bool {
		return c.Name == "serve" && slices.ContainsFunc(c.Flags, func(f *kong.Flag) bool { return f.Name == name })
	})
}

func bashScript(app *kong.Application) string {
	var flags strings.Builder
	for _, c := range app.Children {
		var words []string
		for _, flag := range allFlags(app, c) {
			words = append(words, written(flag)...)
		}
		fmt.Fprintf(&flags, "    %s) words=%q;;\n", c.Name, strings.Join(words, " "))
	}
	names := CommandNames(app)
	return strings.NewReplacer("@NAMES@", strings.Join(names, "|"), "@COMMANDS@", strings.Join(names, " "), "@FLAGS@", flags.String(),
		"@VALUES@", valueCases(app, `mapfile -t COMPREPLY < <(compgen -W "%s" -- "$cur")`, `mapfile -t COMPREPLY < <(compgen -f -- "$cur")`),
	).Replace(`# bash completion of abs-exporter: source <(abs-exporter completion bash)
_abs_exporter() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= word words
  COMPREPLY=()
  if [[ $cur == "=" ]]; then
    cur=
  elif [[ $prev == "=" ]]; then
    prev=${COMP_WORDS[COMP_CWORD-2]}
  fi
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
    @NAMES@) command=$word; break;;
    esac
  done
  case $prev in
@VALUES@  completion) mapfile -t COMPREPLY < <(compgen -W "bash zsh fish" -- "$cur"); return;;
  esac
  if [[ -z $command || $command == help ]] && [[ $cur != -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "@COMMANDS@" -- "$cur")
    return
  fi
  case ${command:-serve} in
@FLAGS@  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -o filenames -o bashdefault -F _abs_exporter abs-exporter
`)
}

func zshScript(app *kong.Application) string {
	quote := func(name, help string) string {
		return "'" + strings.NewReplacer("'", `'\''`).Replace(strings.ReplaceAll(name, ":", `\:`)+":"+firstSentence(help)) + "'"
	}
	var flags strings.Builder
	var commands []string
	for _, c := range app.Children {
		var words []string
		for _, flag := range allFlags(app, c) {
			for _, name := range written(flag) {
				words = append(words, quote(name, flag.Help))
			}
		}
		commands = append(commands, quote(c.Name, c.Help))
		fmt.Fprintf(&flags, "    %s) words=(%s);;\n", c.Name, strings.Join(words, " "))
	}
	return strings.NewReplacer("@NAMES@", strings.Join(CommandNames(app), "|"), "@COMMANDS@", strings.Join(commands, " "),
		"@FLAGS@", strings.ReplaceAll(flags.String(), "words=", "described="),
		"@VALUES@", valueCases(app, `compadd -- %s`, `_files`),
	).Replace(`#compdef abs-exporter
# zsh completion of abs-exporter: a file _abs-exporter in a directory of $fpath, or
# source <(abs-exporter completion zsh)
_abs_exporter() {
  local command= word prev=${words[CURRENT-1]}
  local -a described
  for word in "${(@)words[2,CURRENT-1]}"; do
    case $word in
    (@NAMES@) command=$word; break;;
    esac
  done
  if [[ $PREFIX == --*=* ]]; then
    prev=${PREFIX%%=*}
    compset -P '*='
  fi
  case $prev in
@VALUES@    completion) compadd -- bash zsh fish; return;;
  esac
  if [[ ( -z $command || $command == help ) && $PREFIX != -* ]]; then
    described=(@COMMANDS@)
    _describe command described
    return
  fi
  case ${command:-serve} in
@FLAGS@  esac
  _describe -o flag described
}
if [[ $funcstack[1] == _abs-exporter ]]; then
  _abs_exporter "$@"
else
  compdef _abs_exporter abs-exporter
fi
`)
}

func fishScript(app *kong.Application) string {
	quote := func(text string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
	}
	var b strings.Builder
	names := strings.Join(CommandNames(app), " ")
	b.WriteString("# fish completion of abs-exporter: ~/.config/fish/completions/abs-exporter.fish\ncomplete -c abs-exporter -f\n")
	fmt.Fprintf(&b, "complete -c abs-exporter -n '__fish_seen_subcommand_from help' -a '%s'\n", names)
	b.WriteString("complete -c abs-exporter -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n")
	for _, c := range app.Children {
		fmt.Fprintf(&b, "complete -c abs-exporter -n 'not __fish_seen_subcommand_from %s' -a %s -d %s\n", names, c.Name, quote(firstSentence(c.Help)))
	}
	for _, c := range app.Children {
		condition := "__fish_seen_subcommand_from " + c.Name
		if c.Name == "serve" { // the default
			others := slices.DeleteFunc(CommandNames(app), func(name string) bool { return name == "serve" })
			condition = "not __fish_seen_subcommand_from " + strings.Join(others, " ")
		}
		for _, flag := range allFlags(app, c) {
			value := " -x"
			switch {
			case flag.IsBool():
				value = ""
			case flag.Enum != "":
				value = " -x -a " + quote(strings.Join(flag.EnumSlice(), " "))
			case isFile(flag):
				value = " -r -F"
			}
			for _, name := range written(flag) {
				fmt.Fprintf(&b, "complete -c abs-exporter -n '%s' -l %s%s -d %s\n",
					condition, strings.TrimPrefix(name, "--"), value, quote(firstSentence(flag.Help)))
			}
		}
	}
	return b.String()
}
