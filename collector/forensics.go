package collector

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// forensicsConcurrency is how many forensics calls are under way at once, at most: less
// than the default of --abs.concurrency.
const forensicsConcurrency = 6

type answer struct {
	question
	window abs.Window
	report abs.Forensics
	err    error
}

// askForensics works through the plan with what is left of the interval, at
// --forensics.rate. What it does not come to waits for the next cycle: the reports that
// feed the counters go first.
func (t *target) askForensics(ctx context.Context) {
	now := t.clock.Now()
	left := nextCycle(t.cycle.began, t.o.Interval).Sub(now)
	if len(t.plan.todo) == 0 || left <= 0 {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		if t.clock.Sleep(ctx, left) == nil {
			cancel() // the next cycle is due
		}
	}()
	to := now.Truncate(time.Minute)
	window := abs.Window{From: to.Add(-t.o.Window).Truncate(time.Minute), To: to}
	answers := make(chan answer)
	todo := t.plan.todo
	go t.ask(ctx, todo, window, answers)
	asked := 0
	for a := range answers {
		if a.err != nil && errors.Is(a.err, context.Canceled) {
			continue
		}
		asked++
		t.take(a, cancel)
	}
	// Calls end in about the order in which they began: those that were cut are asked
	// again, at most a few of those behind them twice.
	t.plan.todo = todo[min(asked, len(todo)):]
	t.turn()
}

// ask calls at the rate, and closes answers when it is through or ctx has ended.
func (t *target) ask(ctx context.Context, todo []question, window abs.Window, answers chan<- answer) {
	defer close(answers)
	pace := rate.NewLimiter(rate.Limit(t.o.ForensicsRate), 1)
	group := errgroup.Group{}
	group.SetLimit(forensicsConcurrency)
	for _, q := range todo {
		if pace.Wait(ctx) != nil {
			break
		}
		group.Go(func() error {
			report, err := t.ABS.Forensics(ctx, window, q.token)
			answers <- answer{q, window, report, err}
			return nil
		})
	}
	_ = group.Wait() // the calls tell their errors by their answers
}

func (t *target) take(a answer, stop func()) {
	if a.inTurn {
		t.plan.cursor = a.id + 1
	}
	if a.err != nil {
		t.plan.failed++
		t.forensicsFailed(a.err, stop)
		return
	}
	t.plan.covered++
	for _, e := range t.attacks.answer(a.id, a.report, a.window, t.clock.Now(), t.ledger.IsListed(a.id)) {
		t.event(e)
	}
}

func (t *target) event(e Event) {
	e.log(t.log)
	if t.o.Events != nil {
		t.o.Events(e)
	}
}

// forensicsFailed tells of the first failure of a cycle; keys that are refused will be
// refused for the next token too.
func (t *target) forensicsFailed(err error, stop func()) {
	var refused *abs.Error
	if errors.As(err, &refused) && refused.Reason == abs.ReasonAuth {
		stop()
	}
	if t.cycle.forensicsFailed {
		return
	}
	t.cycle.forensicsFailed = true
	t.failure("a token's forensics could not be read", err,
		"attacks of the tokens concerned neither begin nor end in the metrics until they are asked about again")
}

func (t *target) forensicsHealth() {
	set := func(state string, n float64) { t.health.ForensicsTokens.WithLabelValues(t.Name, state).Set(n) }
	set(metrics.ForensicsDue, float64(len(t.plan.todo)))
	set(metrics.ForensicsCovered, float64(t.plan.covered))
	set(metrics.ForensicsFailed, float64(t.plan.failed))
	set(metrics.ForensicsSkipped, float64(t.plan.skipped))
}
