package config

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/cmdline"
)

// Help is the command help.
type Help struct {
	Command string `arg:"" optional:"" placeholder:"COMMAND" help:"The command to explain. Default: all, a line each."`
}

// Completion is the command completion.
type Completion struct {
	Shell string `arg:"" name:"bash|zsh|fish" enum:"bash,zsh,fish" help:"The shell."`
}

// WriteCompletion writes the script that has a shell complete commands, flags and their values.
func WriteCompletion(shell string, w io.Writer) error {
	parser, err := newParser(io.Discard, func(int) {}, &asked{})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, cmdline.CompletionScript(shell, parser.Model))
	return err
}

// asked is what was asked for in place of a command's work.
type asked struct {
	help    bool // it is written
	long    bool // with all flags
	version bool
}

type helpLongFlag bool

// BeforeReset is called by kong when --help-long was given.
func (helpLongFlag) BeforeReset(ctx *kong.Context, a *asked) error {
	a.help, a.long = true, true
	return ctx.PrintUsage(false)
}

type versionFlag bool

// BeforeReset is called by kong when --version was given.
func (versionFlag) BeforeReset(a *asked) error {
	a.version = true
	return nil
}

// mostUsed are the shared flags that --help shows; --help-long shows all. A command's own flags are
// shown always, but for the simulated ABS's in demo.
func mostUsed() []string {
	return []string{
		"abs.url", "abs.access-key-file", "abs.secret-key-file", "abs.timezone", "abs.tls.fingerprint",
		"config", "series.max-tokens", "state.dir", "web.listen-address", "log.level",
	}
}

// inShortHelp reports whether --help of a command shows the flag.
func inShortHelp(command string, flag *kong.Flag) bool {
	if flag.Group == nil || slices.Contains([]string{"check", "resolve", "backfill", "assets"}, flag.Group.Key) {
		return true
	}
	if flag.Group.Key == "simulate" {
		return command == "simulate" || flag.Name == "simulate.tokens" || flag.Name == "simulate.rate"
	}
	if command == "healthcheck" {
		return flag.Name == "config" || strings.HasPrefix(flag.Name, "web.") // what says where to ask
	}
	return slices.Contains(mostUsed(), flag.Name) && (command != "demo" || !strings.HasPrefix(flag.Name, "abs."))
}

// printHelp returns what writes a help: of a command with its examples, and short unless a.long.
func printHelp(a *asked) kong.HelpPrinter {
	return func(options kong.HelpOptions, ctx *kong.Context) error {
		selected, short := ctx.Selected(), false
		if selected != nil && !a.long {
			for _, flag := range selected.Flags {
				if !inShortHelp(selected.Name, flag) {
					flag.Hidden = true // the parser is used once
					short = true
				}
			}
		}
		if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
			return err
		}
		var end strings.Builder
		if selected != nil {
			end.WriteString("\nExamples:\n")
			for _, example := range examples()[selected.Name] {
				end.WriteString("  " + example + "\n")
			}
		}
		if short {
			end.WriteString("\nThese are the flags used most; --help-long lists all.\n")
		}
		_, err := fmt.Fprint(ctx.Stdout, end.String())
		return err
	}
}

// examples are shown in the help of each command.
func examples() map[string][]string {
	return map[string][]string{
		"serve": {
			"abs-exporter --config=abs-exporter.yml",
			"abs-exporter serve --abs.url=https://abs.example.com:8080 --abs.access-key-file=access --abs.secret-key-file=secret",
		},
		"demo":     {"abs-exporter demo", "abs-exporter demo --simulate.tokens=500 --web.listen-address=127.0.0.1:9000"},
		"simulate": {"abs-exporter simulate --simulate.listen-address=127.0.0.1:8080 --simulate.plain-http"},
		"check": {
			"abs-exporter check --config=abs-exporter.yml",
			"abs-exporter check --config=abs-exporter.yml --offline",
			"abs-exporter check --config=abs-exporter.yml --output=json --report=bundle.json",
		},
		"resolve": {
			"abs-exporter resolve --config=abs-exporter.yml 0123456789abcdef",
			"abs-exporter resolve --config=abs-exporter.yml --at=2026-11-23T09:00 0123456789abcdef",
			"abs-exporter resolve --config=abs-exporter.yml --ip=192.0.2.7",
		},
		"healthcheck": {"abs-exporter healthcheck --web.listen-address=127.0.0.1:10464"},
		"backfill":    {"abs-exporter backfill --config=abs-exporter.yml --from=2026-11-01T00:00 --label=job=abs --label=instance=abs-exporter:10464"},
		"assets":      {"abs-exporter assets --dir=abs-assets"},
		"help":        {"abs-exporter help check"},
		"completion":  {"source <(abs-exporter completion bash)", "abs-exporter completion fish > ~/.config/fish/completions/abs-exporter.fish"},
		"version":     {"abs-exporter version"},
	}
}
