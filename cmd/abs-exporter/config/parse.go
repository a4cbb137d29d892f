package config

import (
	"fmt"
	"io"
	"time"

	"github.com/alecthomas/kong"
)

const envPrefix = "ABS_EXPORTER"

const description = "abs-exporter polls PingIntelligence ABS and serves what it reports of tokens, requests and attacks as Prometheus metrics. " +
	"Each flag is also an environment variable, " + envPrefix + "_ and its name in capitals with _ for . and -, and a key of the file given by --config. " +
	"A flag takes precedence over its variable, the variable over the file."

// UsageError says what is wrong with the settings, one problem per line.
type UsageError struct{ Err error }

// Error returns all problems.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the problems, joined where there are several.
func (e *UsageError) Unwrap() error { return e.Err }

// Parse reads args, the environment and the configuration file. It returns the command with its
// settings: a *Serve, *Demo, *Simulate, *Resolve, *Assets or *Version, or nil if help was asked for
// and written to stdout. Whatever is wrong is a *UsageError. now is the time that --at must not be
// after.
func Parse(args []string, now time.Time, stdout io.Writer) (command any, err error) {
	var configured file
	helped := false
	parser, err := newParser(stdout, func(int) { helped = true }, kong.Bind(&configured))
	if err != nil {
		return nil, fmt.Errorf("the description of the flags is wrong: %w", err)
	}
	ctx, err := parser.Parse(args)
	if helped {
		return nil, nil
	}
	if err != nil {
		return nil, &UsageError{err}
	}
	command = ctx.Selected().Target.Addr().Interface()
	if c, ok := command.(interface{ validate(v *validation) }); ok {
		v := &validation{origins: newOrigins(ctx, &configured), flags: flagsByName(ctx.Flags()), now: now}
		c.validate(v)
		if err := v.err(); err != nil {
			return nil, &UsageError{err}
		}
	}
	return command, nil
}

// newParser returns the parser of the command line.
func newParser(stdout io.Writer, exit func(int), options ...kong.Option) (*kong.Kong, error) {
	return kong.New(&commands{}, append([]kong.Option{
		kong.Name("abs-exporter"),
		kong.Description(description),
		kong.Writers(stdout, io.Discard),
		kong.Exit(exit),
		kong.DefaultEnvars(envPrefix),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.ExplicitGroups(flagGroups()),
	}, options...)...)
}
