package resolve

import (
	"context"
	"errors"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
)

// windowParts reads the rows of a window, as a whole or in parts.
type windowParts struct {
	client      *abs.Client
	whole       abs.Window
	responseCap int64 // of ABS, in bytes
}

// read reads the rows of a window. A window that is too large for ABS, or for the timeout of a
// request, is read in halves, the newer first. So is one whose report lacks rows and is about as
// large as ABS lets a response become. begin is called for each report: undo forgets its rows.
func (p *windowParts) read(ctx context.Context, w abs.Window, begin func() (row func(*abs.Row) error, undo func())) error {
	row, undo := begin()
	sum, err := p.client.Tokens(ctx, w, row)
	leftOut := err == nil && sum.Truncated(p.responseCap)
	if (err == nil && !leftOut) || errors.Is(err, errFound) || ctx.Err() != nil {
		return err
	}
	half := (w.To.Sub(w.From) / 2).Truncate(time.Minute)
	if (!leftOut && !tooLarge(err)) || half < p.whole.To.Sub(p.whole.From)/128 || half < time.Minute {
		return err
	}
	undo()
	middle := w.From.Add(half)
	if err := p.read(ctx, abs.Window{From: middle, To: w.To}, begin); err != nil {
		return err
	}
	return p.read(ctx, abs.Window{From: w.From, To: middle}, begin)
}

// tooLarge reports whether a request may succeed for a smaller window.
func tooLarge(err error) bool {
	e := (*abs.Error)(nil)
	return errors.As(err, &e) && (e.TooLong() || e.Reason == abs.ReasonTimeout)
}
