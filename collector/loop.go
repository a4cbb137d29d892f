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
	Environment
	name    string                 // of the target, or of what it is updated to; belongs to Apply
	url     string                 // likewise
	target  *target                // belongs to the goroutine of run, and to Apply before and after it
	counted bool                   // any target of this loop counted; likewise
	limit   atomic.Int64           // without a heartbeat for longer, it counts as stuck: nanoseconds
	beat    atomic.Int64           // the last heartbeat: Unix nanoseconds
	stopped atomic.Bool            // after panics, for good
	status  atomic.Pointer[Status] // as of the last commit

	next atomic.Pointer[Target]             // the settings from the next cycle on; nil: as they are
	wake atomic.Pointer[context.CancelFunc] // ends the sleep between two cycles
	halt context.CancelFunc                 // ends run, and cuts the cycle; nil: it does not run
	done chan struct{}                      // is closed when run has ended
}

// newLoop prepares a target with the state that it saved last, or with the one of an orphan that it
// adopts, which it removes from them.
func newLoop(t Target, e Environment, orphans *[]orphan) (*loop, error) {
	l := &loop{Environment: e, name: t.Name, url: t.URL}
	l.heartbeat()
	l.setLimit(&t)
	state := newStateFile(t.Options.StateDir, t, e.Key.Check())
	saved, err := state.load()
	if err != nil {
		return nil, err
	}
	if saved == nil {
		saved = state.adopt(&t, orphans, e.Log.With("target", t.Name))
		l.counted = saved != nil
	}
	if saved == nil {
		state.logNoState(&e, e.Log.With("target", t.Name))
	}
	l.target, err = l.restore(t, state, saved)
	return l, err
}

func (l *loop) heartbeat()          { l.beat.Store(l.Clock.Now().UnixNano()) }
func (l *loop) lastBeat() time.Time { return time.Unix(0, l.beat.Load()) }

func (l *loop) setLimit(t *Target) {
	l.limit.Store(int64(max(10*t.Options.Interval, 30*time.Minute) + t.Timeout))
}

// start runs the loop in a goroutine of its own until ctx ends, or until halt. ended is called
// then.
func (l *loop) start(ctx context.Context, ended func()) {
	ctx, l.halt = context.WithCancel(ctx)
	l.done = make(chan struct{})
	go func() {
		defer ended()
		defer close(l.done)
		l.run(ctx)
	}()
}

// run polls until ctx ends, or until the target has panicked too often.
func (l *loop) run(ctx context.Context) {
	for panics := 0; ; {
		began := l.Clock.Now()
		if p := catch(func() { l.change(); began = l.target.runCycle(ctx) }); p == nil {
			panics = 0
		} else if panics++; !l.afterPanic(p, panics) {
			return
		}
		l.heartbeat()
		if !l.sleep(ctx, began) {
			return
		}
	}
}

// sleep waits for the cycle after the one that began then, and returns false if ctx ends. Settings
// that are handed over meanwhile count for when it begins.
func (l *loop) sleep(ctx context.Context, began time.Time) bool {
	for {
		sleep, wake := context.WithCancel(ctx)
		l.wake.Store(&wake)
		interval := l.target.options.Interval
		if next := l.next.Load(); next != nil {
			interval = next.Options.Interval
		}
		err := l.Clock.Sleep(sleep, wait(began, l.Clock.Now(), interval))
		woken := sleep.Err() != nil && ctx.Err() == nil
		wake()
		if err == nil || !woken {
			return err == nil
		}
	}
}

// rebuild returns the target as it was saved last, after a panic.
func (l *loop) rebuild(last *target) (*target, error) {
	t := last.Target
	l.counted = l.counted || last.ledger.Requests() > 0
	if t.Options.StateDir == "" && l.counted {
		t.Options.Lookback = 0 // it would be counted twice
	}
	state := newStateFile(t.Options.StateDir, t, l.Key.Check())
	saved, err := state.load()
	if err != nil {
		return nil, err
	}
	if saved == nil && last.state.adopted != "" { // what was adopted is not saved yet
		if saved, err = readState(last.state.adopted); err != nil {
			return nil, err
		}
		state.adopted = last.state.adopted
	}
	return l.restore(t, state, saved)
}

// restore returns a target that goes on from what it saved last; nil: it begins.
func (l *loop) restore(t Target, state *stateFile, saved *savedState) (*target, error) {
	c, err := newTarget(t, l.Environment, state, saved, l.heartbeat, &l.status)
	if err == nil && saved != nil {
		c.log.Info("state restored", "saved", saved.Saved, "requests", c.ledger.Requests(), "tracked_tokens", c.ledger.Tracked())
	}
	return c, err
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
	if again := catch(func() {
		if rebuilt, err = l.rebuild(old); err == nil {
			rebuilt.open()
		}
	}); again != nil {
		err = again
	}
	if err != nil {
		l.stop(p, "the target cannot be rebuilt and is polled no more until the process is started again; its counters stand still: "+err.Error())
		return false
	}
	rebuilt.goOnFrom(old)
	rebuilt.failures.Panicked(p, consequence)
	rebuilt.recordStatus(rebuilt.clock.Now(), rebuilt.findings.Status())
	l.target = rebuilt
	return true
}

// goOnFrom takes over what another target of the same loop logged, so that nothing is logged twice,
// and the end of trouble is.
func (t *target) goOnFrom(last *target) {
	t.failures.GoOnFrom(last.failures)
	skew, log := t.absClock.skew, t.absClock.log // of the target's own name
	*t.absClock = *last.absClock
	t.absClock.skew, t.absClock.log = skew, log
}

// stop ends the polling of the target for good. Its counters stay exposed. Its gauges end, because
// their values are unknown from now on.
func (l *loop) stop(p *findings.Panic, consequence string) {
	t := l.target
	t.failures.Panicked(p, consequence)
	l.stopped.Store(true)
	status := *l.status.Load()
	status.Up, status.Errors = false, t.failures.Rows()
	status.WindowTokens, status.WindowRequests, status.FlaggedTokens = -1, -1, -1
	status.Admin = absstate.Status{}
	l.status.Store(&status)
	publish := func() { t.publisher.Publish(t.Name, &metrics.Snapshot{Blocks: t.counters, Labels: t.Labels}) }
	if again := catch(publish); again != nil {
		t.failures.Panicked(again, "the gauges of the target, which is polled no more, may stay exposed as they were last")
	}
}
