package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

const (
	commandHelp     = "help"
	commandServe    = "serve"
	commandDemo     = "demo"
	commandSimulate = "simulate"
	commandResolve  = "resolve"
	commandAssets   = "assets"
	commandVersion  = "version"

	envPrefix = "ABS_EXPORTER"
)

const description = "abs-exporter polls PingIntelligence ABS and serves what it tells of tokens, requests and attacks as Prometheus metrics. " +
	"Each flag is also an environment variable, " + envPrefix + "_ and its name in capitals with _ for . and -, and a key of the file given by --config. " +
	"A flag goes before its variable, the variable before the file."

// invocation is one command with its flags read and checked.
type invocation struct {
	command string
	cli     *cli
	file    *configuration // nil without --config
	targets []targetFlags  // of serve, one at least
	places  places
}

// newParser builds the parser of the command line.
func newParser(grammar *cli, stdout io.Writer, exit func(int), options ...kong.Option) (*kong.Kong, error) {
	return kong.New(grammar, append([]kong.Option{
		kong.Name("abs-exporter"),
		kong.Description(description),
		kong.Writers(stdout, io.Discard),
		kong.Exit(exit),
		kong.DefaultEnvars(envPrefix),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.ExplicitGroups(flagGroups()),
	}, options...)...)
}

// parse reads args, the environment and the configuration file. Whatever is wrong
// with them is a *usageError, all of it at once where it can be told.
func parse(args []string, stdout io.Writer) (*invocation, error) {
	in := &invocation{cli: &cli{}}
	helped := false
	parser, err := newParser(in.cli, stdout, func(int) { helped = true }, kong.Bind(in))
	if err != nil {
		return nil, fmt.Errorf("the description of the flags is wrong: %w", err)
	}
	ctx, err := parser.Parse(args)
	if helped {
		in.command = commandHelp
		return in, nil
	}
	if err != nil {
		return nil, &usageError{plainError(err)}
	}
	in.command = ctx.Selected().Name
	in.places = newPlaces(ctx, in.file)

	var problems []problem
	switch in.command {
	case commandServe:
		in.targets, problems = in.cli.Serve.check(in, ctx)
	case commandResolve:
		in.targets, problems = in.cli.Resolve.check(in, ctx)
	case commandDemo:
		problems = in.cli.Demo.check(in)
	case commandSimulate:
		problems = in.cli.Simulate.Sim.check()
	}
	if len(problems) > 0 {
		errs := make([]error, len(problems))
		for i, p := range problems {
			errs[i] = in.places.describe(p)
		}
		return nil, &usageError{errors.Join(errs...)}
	}
	return in, nil
}

// plainError takes kong's wrapping off, so that joined errors show as such.
func plainError(err error) error {
	if p := (*kong.ParseError)(nil); errors.As(err, &p) {
		err = p.Unwrap()
	}
	if f := (*fileError)(nil); errors.As(err, &f) {
		return f.Unwrap()
	}
	return err
}

// problem is something wrong with one setting.
type problem struct {
	target int    // of the list targets; -1 for a setting of its own
	name   string // of the flag: collect.slot
	text   string
}

// places knows where each setting was given.
type places struct {
	given map[string]bool // flags of the command line
	env   map[string]string
	file  *configuration
}

func newPlaces(ctx *kong.Context, file *configuration) places {
	p := places{given: map[string]bool{}, env: map[string]string{}, file: file}
	for _, path := range ctx.Path {
		if path.Flag != nil && !path.Resolved {
			p.given[path.Flag.Name] = true
		}
	}
	for _, flag := range ctx.Flags() {
		for _, env := range flag.Tag.Envs {
			if _, ok := os.LookupEnv(env); ok {
				p.env[flag.Name] = env
			}
		}
	}
	return p
}

// describe names the setting as the user wrote it: the flag, the variable, or the
// file's line and key.
func (p places) describe(pr problem) error {
	if strings.HasPrefix(pr.name, "OTEL_") { // a variable that no flag is made of
		return fmt.Errorf("%s: %s", pr.name, pr.text)
	}
	if pr.target >= 0 && p.file != nil && pr.target < len(p.file.targets) {
		t := p.file.targets[pr.target]
		key := pr.name[len("abs."):]
		line := t.line
		v, own := t.values[pr.name]
		if own {
			line = v.line
		}
		// A shared setting that is wrong is told where it stands; one that is
		// missing, at the entry that misses it.
		if own || !p.has(pr.name) {
			return fmt.Errorf("%s:%d: key targets[%d].%s: %s", p.file.name, line, pr.target, key, pr.text)
		}
	}
	if env, ok := p.env[pr.name]; ok && !p.given[pr.name] {
		return fmt.Errorf("--%s (from %s): %s", pr.name, env, pr.text)
	}
	if !p.given[pr.name] && p.file != nil {
		if v, ok := p.file.values[pr.name]; ok {
			return fmt.Errorf("%s:%d: key %s: %s", p.file.name, v.line, pr.name, pr.text)
		}
	}
	return fmt.Errorf("--%s: %s", pr.name, pr.text)
}

// has tells whether the setting was given anywhere, outside the list targets.
func (p places) has(name string) bool {
	_, env := p.env[name]
	file := false
	if p.file != nil {
		_, file = p.file.values[name]
	}
	return env || file || p.given[name]
}
