package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

// The programs that are measured run as processes of their own: this binary again, with the
// program's name as its first argument.
func programs() map[string]func(context.Context, []string) error {
	return map[string]func(context.Context, []string) error{
		"abs":      serveABS,
		"copy":     copyReport,
		"exporter": runExporter,
		"baseline": runBaseline,
		"scraped":  serveScraped,
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := func() error {
		if len(os.Args) > 1 {
			if run, ok := programs()[os.Args[1]]; ok {
				return run(ctx, os.Args[2:])
			}
		}
		return compare(ctx, os.Args[1:])
	}()
	stop()
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
