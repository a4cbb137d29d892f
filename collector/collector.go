package collector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// Collector polls every target on the clock's grid and publishes what it counts.
type Collector struct {
	environment Environment
	loops       atomic.Pointer[[]*loop] // in the order of the targets

	changing sync.Mutex      // one Apply at a time, and none while Run begins or ends
	running  context.Context // of Run; nil: it was not called yet
	ended    chan struct{}   // has one when a loop has ended
	parked   []orphan        // removed targets whose state is in memory only
}

// New prepares the targets with the state that the last process saved, and publishes it. With a
// state directory, the caller holds its lock (statedir).
func New(targets []Target, e Environment) (*Collector, error) {
	if len(e.Key) < tokenid.MinKey {
		return nil, tokenid.ErrShortKey
	}
	c := &Collector{environment: e, ended: make(chan struct{}, 1)}
	var orphans []orphan
	if len(targets) > 0 {
		orphans = findOrphans(targets[0].Options.StateDir, targets, e.OtherShards)
	}
	warnOfMoved(&e)
	loops := make([]*loop, 0, len(targets))
	for _, t := range targets {
		l, err := newLoop(t, e, &orphans)
		if err != nil {
			return nil, fmt.Errorf("target %q: %w", t.Name, err)
		}
		l.target.open()
		loops = append(loops, l)
	}
	c.loops.Store(&loops)
	warnOfOrphans(orphans, e.Log)
	return c, nil
}

func (c *Collector) all() []*loop { return *c.loops.Load() }

// ErrLeftBehind is the error of Run where a cycle did not end in time.
var ErrLeftBehind = errors.New("a cycle was left behind")

// stopTime is how long Run waits for the running cycle when ctx ends: a cycle is cut only between
// its steps, and with hundreds of thousands of slots a step may be long.
const stopTime = 3 * time.Second

// Run polls until ctx ends, which cuts the running cycle. It returns nil on a clean end, and
// ErrLeftBehind if a cycle still runs: then the process must end without unlocking its state
// directory, as after a kill.
func (c *Collector) Run(ctx context.Context) error {
	c.changing.Lock()
	c.running = ctx
	for _, l := range c.all() {
		c.start(l)
	}
	c.changing.Unlock()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-c.ended:
			if c.haveEnded() {
				return nil
			}
		}
	}
	ended := make(chan struct{})
	go func() {
		c.changing.Lock() // a change that is under way ends first
		defer c.changing.Unlock()
		for _, l := range c.all() {
			l.end()
			l.close()
		}
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-time.After(stopTime):
		return ErrLeftBehind
	}
}

// start starts a loop, once Run was called.
func (c *Collector) start(l *loop) {
	if c.running == nil {
		return
	}
	l.start(c.running, func() {
		select {
		case c.ended <- struct{}{}:
		default:
		}
	})
}

// haveEnded reports whether all loops have ended, as they do after panics.
func (c *Collector) haveEnded() bool {
	c.changing.Lock()
	defer c.changing.Unlock()
	for _, l := range c.all() {
		select {
		case <-l.done:
		default:
			return false
		}
	}
	return true
}

// Status returns the status as of the last commit of each target, in the order of the targets.
func (c *Collector) Status() []Status {
	loops := c.all()
	all := make([]Status, 0, len(loops))
	for _, l := range loops {
		all = append(all, *l.status.Load())
	}
	return all
}

// LastHeartbeat returns the last heartbeat of the loop that has been still for longest. Those that
// stopped after panics do not count, unless all did.
func (c *Collector) LastHeartbeat() time.Time {
	last := c.environment.Clock.Now()
	for _, l := range c.counting() {
		if beat := l.lastBeat(); beat.Before(last) {
			last = beat
		}
	}
	return last
}

// Alive reports whether all loops make progress. It never depends on what ABS answers: every
// request ends by its time-out, so that a loop without a heartbeat for long is stuck. A target that
// stopped after panics is no reason to end the others; once all have, the process is of no use.
func (c *Collector) Alive() bool {
	now := c.environment.Clock.Now()
	for _, l := range c.counting() {
		if l.stopped.Load() || now.Sub(l.lastBeat()) >= time.Duration(l.limit.Load()) {
			return false
		}
	}
	return true
}

// counting returns the loops that liveness depends on: those that run, or all if none does.
func (c *Collector) counting() []*loop {
	loops := c.all()
	running := make([]*loop, 0, len(loops))
	for _, l := range loops {
		if !l.stopped.Load() {
			running = append(running, l)
		}
	}
	if len(running) == 0 {
		return loops
	}
	return running
}
