package check

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/collector/zonesearch"
)

// maxCalls bounds the requests to one target.
const maxCalls = 40

// Why a question stays open.
var (
	errCalls  = errors.New("check sends 40 requests at most")
	errSearch = errors.New("the search has sent all of its requests")
)

// reading is one call: what was asked, and what came back.
type reading struct {
	length  time.Duration // of the window
	summary abs.Summary
	call    abs.Call
	err     error
}

// exchange is a call as the report bundle has it.
type exchange struct {
	question string
	window   abs.Window
	at       time.Time
	call     abs.Call
	size     int64 // of the body, an error's too, as far as it was read
	shape    *shape
	proxy    bool
}

// asker sends the requests of a check to one target, one after the other, and remembers them.
type asker struct {
	target    *config.Target
	config    abs.Config
	client    *abs.Client
	now       func() time.Time
	progress  *progress
	question  string // that is being asked
	sent      int
	body      *prefix // of the running call
	last      abs.Call
	exchanges []exchange
}

func newAsker(t *config.Target, agent string, now func() time.Time, p *progress) (*asker, error) {
	a := &asker{target: t, now: now, progress: p, config: t.ClientConfig(), body: &prefix{}}
	a.config.UserAgent, a.config.Now, a.config.AnyWindow = agent, now, true
	a.config.Observe = func(c abs.Call) { a.last = c; a.sent += c.Requests }
	a.config.Tap = func(string) io.Writer { a.body.reset(); return a.body }
	var err error
	a.client, err = abs.NewClient(a.config)
	return a, err
}

func (a *asker) close() { a.client.Close() }

// as makes the next requests as the other user, with the same keys.
func (a *asker) as(user abs.User) error {
	a.config.User = user
	client, err := abs.NewClient(a.config)
	if err == nil {
		a.client.Close()
		a.client = client
	}
	return err
}

// ask sends one call, unless the limit is reached. A call is sent twice at most, and that for the
// admin report to two paths.
func (a *asker) ask(w abs.Window, what string, send func(*abs.Client) error) error {
	most := 2
	if w == (abs.Window{}) {
		most = 4
	}
	if a.sent+most > maxCalls {
		return errCalls
	}
	a.progress.show(a.target.Name, a.sent+1, what)
	a.last = abs.Call{}
	a.body.reset()
	err := send(a.client)
	a.exchanges = append(a.exchanges, exchange{
		question: a.question, window: w, at: a.now(), call: a.last, size: a.body.size, shape: a.body.shape(), proxy: a.client.Proxy() != "",
	})
	return err
}

// tokens reads the token report of a window.
func (a *asker) tokens(ctx context.Context, w abs.Window, what string, row func(*abs.Row)) reading {
	r := reading{length: w.To.Sub(w.From)}
	r.err = a.ask(w, what, func(c *abs.Client) (err error) {
		r.summary, err = c.Tokens(ctx, w, func(t *abs.Row) error { row(t); return nil })
		return err
	})
	if !errors.Is(r.err, errCalls) {
		r.call = a.last
	}
	return r
}

func noRow(*abs.Row) {}

// holds returns a function that reports whether a window holds requests, with most calls at most.
func (a *asker) holds(what string, most int) zonesearch.Holds {
	return func(ctx context.Context, from, to time.Time) (bool, error) {
		if most--; most < 0 {
			return false, errSearch
		}
		r := a.tokens(ctx, abs.Window{From: from, To: to}, what, noRow)
		switch {
		case tooLarge(r.err) && ctx.Err() == nil: // of an empty window, no report is
			return true, nil
		case r.err != nil && (ctx.Err() != nil || !zonesearch.RefusesWindow(r.err, false)):
			return false, r.err
		case r.err != nil, !r.summary.Earlier.IsZero() && !r.summary.Earlier.Equal(from):
			return false, zonesearch.ErrWindowRefused
		}
		return r.summary.RowRequests > 0 || r.summary.Requests > 0, nil
	}
}

// newest returns the last part, no longer than step, that holds requests of a window that does.
func newest(ctx context.Context, holds zonesearch.Holds, from, to time.Time, step time.Duration) (time.Time, time.Time, error) {
	for to.Sub(from) > step {
		middle := from.Add(to.Sub(from) / 2).Truncate(time.Minute)
		late, err := holds(ctx, middle, to)
		switch {
		case err != nil:
			return from, to, err
		case late:
			from = middle
		default:
			to = middle
		}
	}
	return from, to, nil
}

// outcome says in words how a call was answered.
func outcome(r reading) string {
	if r.err == nil {
		if r.summary.RowRequests == 0 && r.summary.Requests == 0 {
			return "a report without requests"
		}
		return "a report of " + number(max(r.summary.RowRequests, r.summary.Requests)) + " requests"
	}
	if e := (*abs.Error)(nil); errors.As(r.err, &e) && e.Status > 0 {
		return strings.TrimSpace("status " + strconv.Itoa(e.Status) + " " + http.StatusText(e.Status))
	}
	return failure(r.err)
}

// failure is an error of a call without its prefix.
func failure(err error) string {
	e := (*abs.Error)(nil)
	if !errors.As(err, &e) {
		return err.Error()
	}
	return e.Detail()
}
