package collector

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/absstate"
	"github.com/abs-exporter/abs-exporter/collector/findings"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// maxPanics is after how many panics in consecutive cycles a target stops: their cause is in its
// state or in ABS's reports, and returns each time.
const maxPanics = 3

// loop runs one target: a cycle now, then one at each instant of the grid. A panic ends the cycle,
// and the target is rebuilt from its saved state.
type loop struct {
	target  *target // belongs to the goroutine of run
	rebuild func(last *target) (*target, error)
	limit   time.Duration          // without a heartbeat for longer, it counts as stuck
	beat    atomic.Int64           // the last heartbeat: Unix nanoseconds
	stopped atomic.Bool            // after panics, for good
	status  atomic.Pointer[Status] // as of the last commit
}

// newLoop prepares a target. all are the targets that are configured.
func newLoop(o *Options, t Target, all []Target, e Environment, orphans *[]orphan) (_ *loop, err error) {
	l := &loop{limit: max(10*o.Interval, 30*time.Minute) + t.Timeout}
	heartbeat := func() { l.beat.Store(e.Clock.Now().UnixNano()) }
	heartbeat()
	counted := false // by any target of this loop
	l.rebuild = func(last *target) (*target, error) {
		o := *o
		counted = counted || last.ledger.Requests() > 0
		if o.StateDir == "" && counted {
			o.Lookback = 0 // it would be counted twice
		}
		orphans := findOrphans(o.StateDir, all, e.OtherShards)
		return newTarget(&o, t, e, &orphans, heartbeat, &l.status)
	}
	l.target, err = newTarget(o, t, e, orphans, heartbeat, &l.status)
	return l, err
}

func (l *loop) lastBeat() time.Time { return time.Unix(0, l.beat.Load()) }

// run polls until ctx ends, or until the target has panicked too often.
func (l *loop) run(ctx context.Context) error {
	for panics := 0; ; {
		t := l.target
		began := t.clock.Now()
		if p := catch(func() { began = t.runCycle(ctx) }); p == nil {
			panics = 0
		} else if panics++; !l.afterPanic(p, panics) {
			return nil
		}
		t.heartbeat()
		if err := t.clock.Sleep(ctx, wait(began, t.clock.Now(), t.options.Interval)); err != nil {
			return nil //nolint:nilerr // the context's end is how a loop is meant to end
		}
	}
}

// catch returns the panic of do, or nil.
func catch(do func()) (p *findings.Panic) {
	defer func() { p = findings.Recovered(recover()) }()
	do()
	return nil
}

// afterPanic replaces the target after the panic of a cycle. It returns false if the target stops.
func (l *loop) afterPanic(p *findings.Panic, inARow int) bool {
	old := l.target
	old.health.TargetPanics.WithLabelValues(old.Name).Inc()
	old.health.Up.WithLabelValues(old.Name).Set(0)
	if inARow >= maxPanics {
		l.stop(p, "it was the third cycle in a row: the target is polled no more until the process is started again; its counters stand still")
		return false
	}
	consequence := "the cycle is abandoned; the target goes on from its saved state in the next one, and nothing is lost or counted twice"
	switch {
	case !old.state.saved.IsZero(), old.state.adopted != "":
	case old.state.path != "":
		consequence = "the cycle is abandoned; the state of the target could not be saved yet, hence the target begins anew: what was counted and never exposed is lost, but for what --collect.lookback counts again"
	default:
		consequence = "the cycle is abandoned; without --state.dir all counters of the target begin anew at 0, and what ABS reports of the open slots by now is a baseline and is not counted"
	}
	var rebuilt *target
	var err error
	if again := catch(func() { rebuilt, err = l.rebuild(old) }); again != nil {
		err = again
	}
	if err != nil {
		l.stop(p, "the target cannot be rebuilt and is polled no more until the process is started again; its counters stand still: "+err.Error())
		return false
	}
	rebuilt.goOnFrom(old)
	rebuilt.failures.panicked(p, consequence)
	rebuilt.recordStatus(rebuilt.clock.Now(), rebuilt.findings.Status())
	l.target = rebuilt
	return true
}

// goOnFrom takes over what another target of the same loop logged, so that nothing is logged twice,
// and the end of trouble is.
func (t *target) goOnFrom(last *target) {
	f, of := t.failures, last.failures
	f.recent, f.troubles, f.worked = of.recent, of.troubles, of.worked
	*t.absClock = *last.absClock
}

// stop ends the polling of the target for good. Its counters stay exposed. Its gauges end, because
// their values are unknown from now on.
func (l *loop) stop(p *findings.Panic, consequence string) {
	t := l.target
	t.failures.panicked(p, consequence)
	l.stopped.Store(true)
	status := *l.status.Load()
	status.Up, status.Errors = false, t.failures.recent
	status.WindowTokens, status.WindowRequests, status.FlaggedTokens = -1, -1, -1
	status.Admin = absstate.Status{}
	l.status.Store(&status)
	publish := func() { t.publisher.Publish(t.Name, &metrics.Snapshot{Blocks: t.counters}) }
	if again := catch(publish); again != nil {
		t.failures.panicked(again, "the gauges of the target, which is polled no more, may stay exposed as they were last")
	}
}
