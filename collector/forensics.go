package collector

import (
	"context"
	"errors"
	"math"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/catalogue"
	"github.com/abs-exporter/abs-exporter/collector/planner"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Calls at once. More than this brings nothing at the default rate, unless ABS is slow,
// and then it is asked less at once, not more.
const (
	maxAtOnce = 6
	// slowAnswer is what an answer may take before fewer are asked for at once.
	slowAnswer = 500 * time.Millisecond
)

// forensics is the state of asking.
type forensics struct {
	plan    *planner.Planner
	latency time.Duration // of an answer, smoothed
	until   time.Time     // ABS asked to be left alone until then (Retry-After)
	limiter *rate.Limiter
	oldest  time.Time // since when all tokens were asked about; zero: never yet
}

func newForensics(o *Options) forensics {
	return forensics{
		plan:    planner.New(o.Reread / 2), // in every plan, however exactly it is on time
		limiter: rate.NewLimiter(rate.Limit(o.ForensicsRate), 1),
	}
}

// budget is how many calls there are until the window is read again.
func (t *target) budget() int {
	if !t.o.Forensics || !t.Forensics {
		return 0
	}
	return int(math.Ceil(t.o.ForensicsRate * max(t.o.Reread, t.o.Interval).Seconds()))
}

// findingsAnswered returns when a token with findings was last answered, and false for a token
// without.
func (t *target) findingsAnswered(id tokenid.ID) (time.Time, bool) {
	s := t.attacks.suspects[id]
	if s == nil || len(s.findings) == 0 {
		return time.Time{}, false
	}
	return s.answered, true
}

// atOnce is how many calls to have under way: the slower ABS answers, the fewer.
func (f *forensics) atOnce() int {
	if f.latency <= slowAnswer {
		return maxAtOnce
	}
	return max(1, int(maxAtOnce*slowAnswer/f.latency))
}

type answer struct {
	planner.Call
	window abs.Window
	report abs.Forensics
	took   time.Duration
	err    error
}

// askForensics works through the plan with what is left of the interval, at
// --forensics.rate. What it does not come to waits for the next cycle: the reports that
// feed the counters go first.
func (t *target) askForensics(ctx context.Context) {
	now := t.clock.Now()
	left := nextCycle(t.cycle.began, t.o.Interval).Sub(now)
	if left <= 0 || now.Before(t.forensics.until) {
		return
	}
	ctx, cancel := t.untilNextCycle(ctx, left)
	defer cancel()
	to := now.Truncate(time.Minute)
	window := abs.Window{From: to.Add(-t.o.Window).Truncate(time.Minute), To: to}
	answers := make(chan answer)
	underWay := 0
	for {
		for underWay < t.forensics.atOnce() && ctx.Err() == nil && !t.clock.Now().Before(t.forensics.until) {
			c, ok := t.forensics.plan.Next()
			if !ok {
				break
			}
			underWay++
			go t.ask(ctx, c, window, answers)
		}
		if underWay == 0 {
			break
		}
		a := <-answers
		underWay--
		t.take(ctx, a, cancel)
	}
	t.turn()
}

// untilNextCycle ends when the next cycle is due: the reports that feed the counters go
// first.
func (t *target) untilNextCycle(ctx context.Context, left time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		if t.clock.Sleep(ctx, min(left, t.o.Interval)) == nil {
			cancel()
		}
	}()
	return ctx, cancel
}

// ask makes one call, at the rate.
func (t *target) ask(ctx context.Context, c planner.Call, window abs.Window, answers chan<- answer) {
	a := answer{Call: c, window: window}
	if a.err = t.forensics.limiter.Wait(ctx); a.err == nil {
		began := t.clock.Now()
		a.report, a.err = t.ABS.Forensics(ctx, window, c.Token)
		a.took = t.clock.Now().Sub(began)
	}
	answers <- a
}

func (t *target) take(ctx context.Context, a answer, stop func()) {
	f, now := &t.forensics, t.clock.Now()
	if a.err != nil {
		if ctx.Err() != nil { // cut by the next cycle, not by ABS
			f.plan.Return(a.Call)
			return
		}
		t.forensicsFailed(a, stop)
		return
	}
	f.latency = smooth(f.latency, a.took)
	events := t.attacks.answer(a.ID, a.report, a.window, now, t.ledger.IsTracked(a.ID))
	for _, e := range events {
		t.event(e)
	}
	f.plan.Answered(a.Call, now)
}

func smooth(before, now time.Duration) time.Duration {
	if before == 0 {
		return now
	}
	return (7*before + now) / 8
}

func (t *target) event(e metrics.Event) {
	e.Log(t.log)
	if _, told := t.unknown[e.Type]; e.Severity == catalogue.Unknown && !told {
		t.unknown[e.Type] = struct{}{}
		t.log.Warn("ABS tells of a type that the catalogue does not know; it is served as it is", "type", e.Type, "severity", e.Severity)
	}
	if t.o.Events != nil {
		t.o.Events(e)
	}
}

// forensicsFailed decides what a failed call means for the token and for the next ones.
func (t *target) forensicsFailed(a answer, stop func()) {
	f, now := &t.forensics, t.clock.Now()
	consequence := "attacks of the tokens concerned neither begin nor end in the metrics until they are asked about again"
	var e *abs.Error
	errors.As(a.err, &e)
	switch {
	case e != nil && e.Reason == abs.ReasonAuth:
		f.plan.Return(a.Call)
		stop() // the keys will be refused for the next token too
	case e != nil && e.RetryAfter > 0:
		f.plan.Return(a.Call)
		f.until = now.Add(min(e.RetryAfter, t.o.Window))
		consequence = "ABS asked to be left alone; forensics goes on after that"
	case e != nil && tooLongToAsk(e.Status):
		f.plan.Skipped(a.Call, now)
		consequence = "the token is too long to be asked about, and is not asked about again"
	default:
		if e != nil && e.Reason == abs.ReasonTimeout {
			f.latency = smooth(f.latency, max(a.took, 2*slowAnswer))
		}
		f.plan.Failed(a.Call, now)
	}
	if t.cycle.forensicsFailed {
		return
	}
	t.cycle.forensicsFailed = true
	t.failure("a token's forensics could not be read", a.err, consequence)
}

// tooLongToAsk tells the answers of servers to a request line that they will not take.
func tooLongToAsk(status int) bool {
	return status == http.StatusRequestURITooLong || status == http.StatusRequestHeaderFieldsTooLarge ||
		status == http.StatusRequestEntityTooLarge
}

func (t *target) forensicsHealth(now time.Time) {
	c := t.forensics.plan.Coverage()
	set := func(state string, n int) {
		t.health.ForensicsTokens.WithLabelValues(t.Name, state).Set(float64(n))
	}
	set(metrics.ForensicsDue, c.Due)
	set(metrics.ForensicsCovered, c.Covered)
	set(metrics.ForensicsFailed, c.Failed)
	set(metrics.ForensicsSkipped, c.Skipped)
	if !c.Oldest.IsZero() {
		t.forensics.oldest = c.Oldest
	}
	if oldest := t.forensics.oldest; !oldest.IsZero() { // it goes on ageing while a plan is not worked through
		t.health.ForensicsOldestAge.WithLabelValues(t.Name).Set(now.Sub(oldest).Seconds())
	}
}
