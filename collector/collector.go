package collector

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// Collector polls every target on the clock's grid and publishes what it counts.
type Collector struct {
	targets []*target
	clock   Clock
	limit   time.Duration   // a loop without a heartbeat for longer counts as stuck
	beats   []*atomic.Int64 // the last heartbeat of each loop: Unix nanoseconds
}

// New prepares the targets with the state that the last process saved, and publishes it. With a
// state directory, the caller holds its lock (statedir).
func New(o Options, targets []Target, e Environment) (*Collector, error) {
	if len(e.Key) < tokenid.MinKey {
		return nil, tokenid.ErrShortKey
	}
	c := &Collector{clock: e.Clock, limit: max(10*o.Interval, 30*time.Minute)}
	orphans := findOrphans(o.StateDir, targets)
	for _, t := range targets {
		beat := &atomic.Int64{}
		heartbeat := func() { beat.Store(e.Clock.Now().UnixNano()) }
		heartbeat()
		c.beats = append(c.beats, beat)
		prepared, err := newTarget(&o, t, e, &orphans, heartbeat)
		if err != nil {
			return nil, fmt.Errorf("target %q: %w", t.Name, err)
		}
		c.targets = append(c.targets, prepared)
	}
	warnOfOrphans(orphans, e.Log)
	return c, nil
}

// Run polls until ctx ends; the running cycle is cut then. It returns nil on a clean end.
func (c *Collector) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, t := range c.targets {
		group.Go(func() error { return t.run(ctx) })
	}
	return group.Wait()
}

// Status returns the status as of the last commit of each target, in the order of the targets.
func (c *Collector) Status() []Status {
	all := make([]Status, 0, len(c.targets))
	for _, t := range c.targets {
		all = append(all, *t.status.Load())
	}
	return all
}

// LastHeartbeat returns the last heartbeat of the loop that has been still for longest.
func (c *Collector) LastHeartbeat() time.Time {
	last := c.clock.Now().UnixNano()
	for _, beat := range c.beats {
		last = min(last, beat.Load())
	}
	return time.Unix(0, last)
}

// Alive reports whether all loops make progress. It never depends on what ABS answers: every
// request ends by its timeout, so that a loop without a heartbeat for long is stuck.
func (c *Collector) Alive() bool { return c.clock.Now().Sub(c.LastHeartbeat()) < c.limit }
