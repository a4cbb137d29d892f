// Java makes certificates with negative serial numbers, ABS's among them. Nothing is verified by a
// serial number, and crypto/x509 parses such a certificate with this setting only.
//go:debug x509negativeserial=1

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/check"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/logging"
	"github.com/abs-exporter/abs-exporter/collector"
)

// The exit statuses, as docs/configuration.md promises them.
const (
	exitOK    = 0
	exitError = 1 // it failed at run time
	exitUsage = 2 // wrong flags or configuration; no request was sent to ABS
)

func main() {
	// net/http prints unsolicited response bytes through the standard logger, and what ABS sends
	// may contain a token. The program's own log is another one.
	log.SetOutput(io.Discard)
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// run runs one command until it is done or a signal ends it, and returns the exit status. Tests
// call it in place of main.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once, in case draining is slow. Signals within a second
	// of the first are one request to end: timeout(1) sends two.
	context.AfterFunc(ctx, func() { time.AfterFunc(time.Second, stop) })

	clock := newClock()
	command, err := config.Parse(args, clock.Now(), stdout)
	switch command.(type) {
	case *config.Serve, *config.Demo: // outlive the readers of their output; the log counts what is lost
		signal.Ignore(syscall.SIGPIPE)
	}
	if err == nil {
		err = runCommand(ctx, command, args, clock, stdout, stderr)
	}
	if err == nil {
		return exitOK
	}
	usage := (*config.UsageError)(nil)
	refused := errors.As(err, &usage)
	settings := config.Log{}
	if c, ok := command.(interface{ Logging() config.Log }); ok {
		settings = c.Logging()
	} else if refused {
		settings = usage.Log
	}
	last := logging.NewWriter(stderr) // whoever does not read it must not keep the process from ending
	printError(err, settings, last)
	last.Close()
	if refused {
		return exitUsage
	}
	return exitError
}

// printError prints the error that ends the process. Each of its lines is a problem of its own. A
// log in JSON has nothing but JSON in it.
func printError(err error, c config.Log, stderr io.Writer) {
	if c.Format == "json" {
		log := logging.New(config.Log{Level: "error", Format: c.Format}, stderr)
		for line := range strings.SplitSeq(err.Error(), "\n") {
			log.Error("ended with an error", "err", line)
		}
		return
	}
	const prefix = "abs-exporter: error: "
	_, _ = fmt.Fprintln(stderr, prefix+strings.ReplaceAll(err.Error(), "\n", "\n"+prefix)) // the exit status says it too
}

func runCommand(ctx context.Context, command any, args []string, clock collector.Clock, stdout, stderr io.Writer) error {
	switch c := command.(type) {
	case *config.Serve:
		return runServe(ctx, c, func() (*config.Settings, error) { return parseAgain(args, clock.Now()) }, clock, stderr)
	case *config.Demo:
		return runDemo(ctx, c, clock, stdout, stderr)
	case *config.Simulate:
		return runSimulate(ctx, c, clock, stdout)
	case *config.Check:
		return check.Command(ctx, c, "abs-exporter/"+build().Version, clock.Now, stdout, stderr)
	case *config.Resolve:
		return runResolve(ctx, c, clock.Now(), stdout, stderr)
	case *config.Backfill:
		return runBackfill(ctx, c, clock, stdout, stderr)
	case *config.Healthcheck:
		return runHealthcheck(ctx, c.Listener, stdout)
	case *config.Assets:
		return writeAssets(c, stdout)
	case *config.Completion:
		return config.WriteCompletion(c.Shell, stdout)
	case *config.Version:
		return printVersion(stdout)
	default:
		return nil // help, which is written already
	}
}

// parseAgain reads the configuration that serve was started with as it is now.
func parseAgain(args []string, now time.Time) (*config.Settings, error) {
	command, err := config.Parse(args, now, io.Discard)
	if err != nil {
		return nil, err
	}
	return &command.(*config.Serve).Settings, nil // the arguments are those that started it
}
