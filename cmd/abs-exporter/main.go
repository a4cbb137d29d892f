package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// The exit statuses, as docs/configuration.md promises them.
const (
	exitOK    = 0
	exitError = 1 // it failed at run time
	exitUsage = 2 // wrong flags or configuration; nothing was asked of ABS
)

func main() {
	// net/http prints what a server sends uncalled-for through the standard logger, and
	// what ABS sends may hold a token. The program's own log is another one.
	log.SetOutput(io.Discard)
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// run is main with everything handed in, so that tests can start it: it runs one
// command until it is done or a signal ends it, and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once, should draining take too long. Those
	// that come together with the first are the same wish: timeout(1) sends two.
	context.AfterFunc(ctx, func() { time.AfterFunc(time.Second, stop) })

	in, err := parse(args, stdout)
	if err == nil {
		err = in.run(ctx, stdout, stderr)
	}
	if err == nil {
		return exitOK
	}
	if _, werr := fmt.Fprintln(stderr, errorText(err)); werr != nil {
		return exitError // there is nobody left to tell
	}
	if usage := (*usageError)(nil); errors.As(err, &usage) {
		return exitUsage
	}
	return exitError
}

// run carries out the command that was parsed.
func (in *invocation) run(ctx context.Context, stdout, stderr io.Writer) error {
	switch in.command {
	case commandHelp:
		return nil
	case commandVersion:
		return printVersion(stdout)
	case commandSimulate:
		return in.runSimulate(ctx, stdout)
	case commandResolve:
		return in.runResolve(ctx, stdout, stderr)
	case commandAssets:
		return in.runAssets(stdout)
	case commandDemo:
		return in.runDemo(ctx, stdout, stderr)
	default:
		return in.runServe(ctx, stderr)
	}
}

// usageError is what is wrong with flags or configuration: exit status 2.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// errorText gives every problem a line of its own that says who speaks.
func errorText(err error) string {
	text := ""
	for i, line := range splitErrors(err) {
		if i > 0 {
			text += "\n"
		}
		text += "abs-exporter: error: " + line
	}
	return text
}

func splitErrors(err error) []string {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return []string{err.Error()}
	}
	var lines []string
	for _, e := range joined.Unwrap() {
		lines = append(lines, splitErrors(e)...)
	}
	return lines
}
