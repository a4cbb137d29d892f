package collector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// Collector polls every target on the clock's grid and publishes what it counts.
type Collector struct {
	loops []*loop
	clock Clock
}

// New prepares the targets with the state that the last process saved, and publishes it. With a
// state directory, the caller holds its lock (statedir).
func New(o Options, targets []Target, e Environment) (*Collector, error) {
	if len(e.Key) < tokenid.MinKey {
		return nil, tokenid.ErrShortKey
	}
	c := &Collector{clock: e.Clock}
	orphans := findOrphans(o.StateDir, targets, e.OtherShards)
	for _, t := range targets {
		l, err := newLoop(&o, t, targets, e, &orphans)
		if err != nil {
			return nil, fmt.Errorf("target %q: %w", t.Name, err)
		}
		c.loops = append(c.loops, l)
	}
	warnOfOrphans(orphans, e.Log)
	warnOfMoved(o.StateDir, &e)
	return c, nil
}

// ErrLeftBehind is the error of Run where a cycle did not end in time.
var ErrLeftBehind = errors.New("a cycle was left behind")

// stopTime is how long Run waits for the running cycle when ctx ends: a cycle is cut only between
// its steps, and with hundreds of thousands of slots a step may be long.
const stopTime = 3 * time.Second

// Run polls until ctx ends, which cuts the running cycle. It returns nil on a clean end, and
// ErrLeftBehind if a cycle still runs: then the process must end without unlocking its state
// directory, as after a kill.
func (c *Collector) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range c.loops {
		group.Go(func() error { return l.run(ctx) })
	}
	ended := make(chan error, 1)
	go func() { ended <- group.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	limit := time.NewTimer(stopTime)
	defer limit.Stop()
	select {
	case err := <-ended:
		return err
	case <-limit.C:
		return ErrLeftBehind
	}
}

// Status returns the status as of the last commit of each target, in the order of the targets.
func (c *Collector) Status() []Status {
	all := make([]Status, 0, len(c.loops))
	for _, l := range c.loops {
		all = append(all, *l.status.Load())
	}
	return all
}

// LastHeartbeat returns the last heartbeat of the loop that has been still for longest. Those that
// stopped after panics do not count, unless all did.
func (c *Collector) LastHeartbeat() time.Time {
	last := c.clock.Now()
	for _, l := range c.counting() {
		last = earlier(last, l.lastBeat())
	}
	return last
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// Alive reports whether all loops make progress. It never depends on what ABS answers: every
// request ends by its time-out, so that a loop without a heartbeat for long is stuck. A target that
// stopped after panics is no reason to end the others; once all have, the process is of no use.
func (c *Collector) Alive() bool {
	now := c.clock.Now()
	for _, l := range c.counting() {
		if l.stopped.Load() || now.Sub(l.lastBeat()) >= l.limit {
			return false
		}
	}
	return true
}

// counting returns the loops that liveness depends on: those that run, or all if none does.
func (c *Collector) counting() []*loop {
	running := make([]*loop, 0, len(c.loops))
	for _, l := range c.loops {
		if !l.stopped.Load() {
			running = append(running, l)
		}
	}
	if len(running) == 0 {
		return c.loops
	}
	return running
}
