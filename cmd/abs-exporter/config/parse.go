package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/cmdline"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/configfile"
)

const envPrefix = "ABS_EXPORTER"

const description = "abs-exporter polls PingIntelligence ABS and serves what it reports of tokens, requests and attacks as Prometheus metrics. " +
	"Each flag is also an environment variable, " + envPrefix + "_ and its name in capitals with _ for . and -, and a key of the file given by --config. " +
	"A flag takes precedence over its variable, the variable over the file."

// UsageError says what is wrong with the settings, one problem per line.
type UsageError struct {
	Err error
	Log Log // as far as it is known, to report the error with
}

// Error returns all problems.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the problems, joined where there are several.
func (e *UsageError) Unwrap() error { return e.Err }

// Parse reads args, the environment and the configuration file. It returns the command with its
// settings: a *Serve, *Demo, *Simulate, *Check, *Resolve, *Backfill, *Healthcheck, *Assets,
// *Completion or *Version, or nil if help was asked for and written to stdout. Whatever is wrong is
// a *UsageError. now is the time that --at and --to must not be after.
func Parse(args []string, now time.Time, stdout io.Writer) (command any, err error) {
	var configured configfile.File
	var instead asked
	parser, err := newParser(stdout, func(int) { instead.help = true }, &instead, kong.Bind(&configured))
	if err != nil {
		return nil, fmt.Errorf("the description of the flags is wrong: %w", err)
	}
	ctx, err := parser.Parse(args)
	switch {
	case instead.help:
		return nil, nil
	case instead.version:
		return &Version{}, nil
	case err != nil:
		err = cmdline.WithSuggestion(namedOrigin(err, &configured), parser.Model)
		return nil, &UsageError{err, logOf(args, &configured)}
	}
	command = ctx.Selected().Target.Addr().Interface()
	if help, ok := command.(*Help); ok {
		return nil, writeHelp(help.Command, parser.Model, stdout)
	}
	if c, ok := command.(interface{ validate(v *validation) }); ok {
		v := &validation{origins: newOrigins(ctx, &configured), flags: flagsByName(ctx.Flags()), now: now}
		c.validate(v)
		if err := v.err(); err != nil {
			return nil, &UsageError{err, logOf(args, &configured)}
		}
		if c, ok := command.(interface{ settings() *Settings }); ok {
			unknownVariables(parser.Model, v)
			c.settings().Effective, c.settings().Warnings, c.settings().values = v.effective(), v.warnings, v.values()
			c.settings().FileSum = configured.Sum
		}
	}
	return command, nil
}

// writeHelp writes the help of a command, or of all with "".
func writeHelp(command string, app *kong.Application, stdout io.Writer) error {
	args := []string{"--help"}
	if command != "" {
		names := cmdline.CommandNames(app)
		if !slices.Contains(names, command) {
			return &UsageError{Err: fmt.Errorf("help: there is no command %s%s", command, cmdline.Suggestion(command, names))}
		}
		args = []string{command, "--help"}
	}
	_, err := Parse(args, time.Time{}, stdout)
	return err
}

// logOf returns the format of the log although the settings are wrong: by flag, variable or file.
func logOf(args []string, f *configfile.File) Log {
	const flag, variable = "--log.format", envPrefix + "_LOG_FORMAT"
	format, ok := os.LookupEnv(variable)
	if !ok {
		format = f.Values["log.format"].Text
	}
	for i, arg := range args {
		if value, found := strings.CutPrefix(arg, flag+"="); found {
			format = value
		} else if arg == flag && i+1 < len(args) {
			format = args[i+1]
		}
	}
	return Log{Format: format}
}

// namedOrigin names the variable in an error of kong that names only the flag.
func namedOrigin(err error, f *configfile.File) error {
	var wrong *kong.ParseError
	named := regexp.MustCompile(`^--([a-z.-]+)((?s):? .*)$`).FindStringSubmatch(err.Error())
	if named == nil || !errors.As(err, &wrong) || strings.Contains(named[2], "(from envar ") {
		return err
	}
	return errors.New(newOrigins(wrong.Context, f).of(noTarget, named[1]) + named[2])
}

// newParser returns the parser of the command line.
func newParser(stdout io.Writer, exit func(int), instead *asked, options ...kong.Option) (*kong.Kong, error) {
	return kong.New(&commands{}, append([]kong.Option{
		kong.Name("abs-exporter"),
		kong.Description(description),
		kong.Writers(stdout, io.Discard),
		kong.Exit(exit),
		kong.DefaultEnvars(envPrefix),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.ExplicitGroups(flagGroups()),
		kong.Help(printHelp(instead)),
		kong.Bind(instead),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(cmdline.DecodeDuration)),
	}, options...)...)
}

func flagsByName(flags []*kong.Flag) map[string]*kong.Flag {
	m := make(map[string]*kong.Flag, len(flags))
	for _, f := range flags {
		m[f.Name] = f
	}
	return m
}
