// Package resolve finds the token behind a token id, or the tokens that an address used, in ABS's
// reports, and prints what ABS reports of them.
package resolve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
)

// Connect returns the client of a target, whose settings configure completes.
type Connect func(t *config.Target, configure func(*abs.Config)) (*abs.Client, error)

// resolver searches the targets of one command.
type resolver struct {
	*config.Resolve
	connect Connect
	now     time.Time
	log     *slog.Logger
}

// Command is the command resolve: it looks for the token, or for those of an address, at every
// target and prints what it finds. An error is returned where no target has it.
func Command(ctx context.Context, c *config.Resolve, connect Connect, now time.Time, stdout io.Writer, log *slog.Logger) error {
	r := &resolver{c, connect, now, log}
	if c.IP != "" {
		return atEachTarget(stdout, r,
			func(t *config.Target) (*addressUse, error) { return r.addressAt(ctx, t) },
			func(use *addressUse) string { return use.text(c.ShowToken) })
	}
	return atEachTarget(stdout, r,
		func(t *config.Target) (*resolution, error) { return r.tokenAt(ctx, t) },
		(*resolution).text)
}

// shown is what is found at a target. It hides tokens, unless they are asked for.
type shown interface{ show(whole bool) }

// atEachTarget searches every target and prints what was found. That one of them lacks what another
// has is no failure, and what else fails there is logged; where none has it, the error says why.
func atEachTarget[R shown](stdout io.Writer, r *resolver, search func(*config.Target) (R, error), text func(R) string) error {
	var found []R
	var failed []error
	for _, t := range r.Targets {
		if one, err := search(&t); err != nil {
			failed = append(failed, fmt.Errorf("target %s: %w", t.Name, err))
		} else {
			one.show(r.ShowToken)
			found = append(found, one)
		}
	}
	if len(found) == 0 {
		return errors.Join(failed...)
	}
	for _, err := range failed {
		if missing := (*notFoundError)(nil); !errors.As(err, &missing) {
			r.log.Warn("target not searched", "err", err)
		}
	}
	return printFound(stdout, found, r.Output == "json", text)
}

// notFoundError says what is not there, and what may help.
type notFoundError struct {
	what, advice string
	window       abs.Window
	rowsRead     int
}

func (e *notFoundError) Error() string {
	return fmt.Sprintf("no %s from %s to %s, among %d rows of ABS's report; %s",
		e.what, e.window.From.Format(time.RFC3339), e.window.To.Format(time.RFC3339), e.rowsRead, e.advice)
}
