package check

import (
	"context"
	"errors"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
)

// madeUp is a token that no ABS knows. It appears in the log of ABS.
const madeUp = "abs-exporter-check-no-such-token"

func (i *inspection) unknownToken(ctx context.Context, a *Answer) {
	if i.target.Restricted() {
		a.unknown("Not asked: ABS refuses forensics to the restricted user.")
		return
	}
	w := abs.WindowUntil(i.present(), i.target.Collect.Window)
	var f abs.Forensics
	err := i.asker.ask(w, "forensics of a token that does not exist", func(c *abs.Client) (err error) {
		f, err = c.Forensics(ctx, w, []byte(madeUp))
		return err
	})
	switch {
	case err == nil && f.Requests == 0 && len(f.AttackTypes) == 0:
		a.found("With a report without requests and attacks.")
	case err == nil:
		a.fix("With a report of %s requests, of a token that does not exist: what ABS reports of single tokens cannot be relied on.", number(f.Requests))
	case abs.ReasonOf(err) == abs.ReasonAuth:
		a.fix("It is refused: %s. These keys read no forensics, so attacks per token stay unknown.", failure(err))
		a.found("Use the keys of the admin user, or turn forensics off.")
		a.set("forensics.enabled", "false")
	default:
		a.found("With %s. A token that ABS has dropped counts as a failed call, and is asked for again later.", outcome(reading{err: err}))
	}
}

func (i *inspection) futureWindow(ctx context.Context, a *Answer) {
	// Past midnight in every zone.
	from := i.present().Add(48 * time.Hour)
	r := i.asker.tokens(ctx, abs.Window{From: from, To: from.Add(time.Hour)}, "a window in the future", noRow)
	switch {
	case r.err == nil && r.summary.RowRequests > 0:
		a.fix("With %s requests that are yet to be made: the clock of something that logs requests is wrong, or ABS answers for another window.",
			number(r.summary.RowRequests))
	default:
		unusual(a, r)
	}
}

func (i *inspection) invertedWindow(ctx context.Context, a *Answer) {
	to := i.settled()
	unusual(a, i.asker.tokens(ctx, abs.Window{From: to, To: to.Add(-time.Hour)}, "an inverted window", noRow))
}

// unusual says how a window was answered that serve never requests.
func unusual(a *Answer, r reading) {
	switch {
	case errors.Is(r.err, errCalls):
		a.unknown("Not asked: %s.", failure(r.err))
	case r.err == nil:
		a.found("With %s. serve never requests one.", outcome(r))
	default:
		a.found("With %s. serve never requests one.", outcome(r))
	}
}
