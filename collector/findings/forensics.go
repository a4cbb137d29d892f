package findings

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/findings/planner"
)

const (
	// maxConcurrent is how many calls are made at once. More gains nothing at the default rate, unless
	// ABS is slow, and then it gets fewer calls at once, not more.
	maxConcurrent = 6
	// slowAnswer is what a call may take before fewer are made at once.
	slowAnswer = 500 * time.Millisecond
)

// finished is a forensics call that ended.
type finished struct {
	planner.Call
	window abs.Window
	report abs.Forensics
	took   time.Duration
	err    error
	panic  *Panic // of the call
}

// askForensics works through the plan at --forensics.rate until ctx ends; cut cancels ctx. What is
// not asked waits for the next cycle.
func (f *Findings) askForensics(ctx context.Context, cut context.CancelFunc) {
	if f.cfg.Forensics == nil {
		return
	}
	window := abs.WindowUntil(f.cfg.Clock.Now(), f.cfg.Window)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	publish := f.every(ctx, publishEvery)
	calls := make(chan finished, maxConcurrent) // a call ends although nobody waits for it any more
	running := 0
	for {
		for running < f.concurrency() && ctx.Err() == nil && !f.paused() {
			q, ok := f.plan.Next()
			if !ok {
				break
			}
			running++
			go f.ask(ctx, q, window, calls)
		}
		if running == 0 {
			return
		}
		var c finished
		select {
		case <-publish:
			f.publishChanges()
			continue
		case c = <-calls:
		}
		running--
		if c.panic != nil {
			panic(c.panic)
		}
		switch {
		case c.err == nil:
			f.record(c)
		case ctx.Err() != nil: // cut by the next cycle, not by ABS
			f.plan.Return(c.Call)
		default:
			f.cfg.Failed(abs.ReportForensics, c.err, f.failed(c, cut))
		}
	}
}

// publishEvery is how long a finding waits at most to be exposed while forensics runs.
const publishEvery = 5 * time.Second

// every returns a channel with a value each d until ctx ends.
func (f *Findings) every(ctx context.Context, d time.Duration) <-chan struct{} {
	ticks := make(chan struct{})
	go func() {
		for f.cfg.Clock.Sleep(ctx, d) == nil {
			select {
			case ticks <- struct{}{}:
			case <-ctx.Done():
			}
		}
	}()
	return ticks
}

// concurrency returns how many calls to make at once: the slower ABS answers, the fewer.
func (f *Findings) concurrency() int {
	if f.latency <= slowAnswer {
		return maxConcurrent
	}
	return max(1, int(maxConcurrent*slowAnswer/f.latency))
}

// ask makes one call, within the rate.
func (f *Findings) ask(ctx context.Context, q planner.Call, window abs.Window, calls chan<- finished) {
	c := finished{Call: q, window: window}
	defer func() {
		c.panic = Recovered(recover())
		calls <- c
	}()
	if c.err = f.limiter.Wait(ctx); c.err == nil {
		began := f.cfg.Clock.Now()
		c.report, c.err = f.cfg.Forensics.Forensics(ctx, window, q.Token)
		c.took = f.cfg.Clock.Now().Sub(began)
	}
}

// record records an answer.
func (f *Findings) record(c finished) {
	now := f.cfg.Clock.Now()
	f.cfg.Answered(abs.ReportForensics)
	f.observeLatency(c.took)
	events, again := f.active.answered(c.ID, c.report, c.window, f.cfg.Ambiguous(c.window), now)
	if again {
		f.again = append(f.again, c.Call)
	}
	f.answered = now
	f.emit(events)
	f.plan.Answered(c.Call, now)
}

func (f *Findings) observeLatency(took time.Duration) {
	if f.latency == 0 {
		f.latency = took
		return
	}
	f.latency = (7*f.latency + took) / 8
}

// failed decides what a failed call means for the token and for the next ones, and returns the
// consequence for the log.
func (f *Findings) failed(c finished, cut context.CancelFunc) (consequence string) {
	now := f.cfg.Clock.Now()
	consequence = "findings of the tokens concerned neither begin nor end until they are asked about again"
	var e *abs.Error
	errors.As(c.err, &e)
	switch {
	case e != nil && e.Reason == abs.ReasonAuth:
		f.plan.Return(c.Call)
		cut() // the keys will be refused for the next token too
	case e != nil && e.RetryAfter > 0:
		f.plan.Return(c.Call)
		f.pauseFor(e.RetryAfter)
		consequence = "ABS asked for a pause; forensics continues after it"
	case e != nil && refusesLength(e.Status):
		f.plan.Skipped(c.Call, now)
		consequence = "the token is too long for a request and is not asked about again"
	default:
		if e != nil && e.Reason == abs.ReasonTimeout {
			f.observeLatency(max(c.took, 2*slowAnswer))
		}
		f.plan.Failed(c.Call, now)
	}
	return consequence
}

// refusesLength reports whether a status is a server's answer to a request line that is too long.
func refusesLength(status int) bool {
	return status == http.StatusRequestURITooLong || status == http.StatusRequestHeaderFieldsTooLarge ||
		status == http.StatusRequestEntityTooLarge
}
