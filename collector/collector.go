package collector

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sync/errgroup"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// Collector polls every target on the clock's grid and publishes what it counts.
type Collector struct {
	targets []*target
	clock   Clock
	limit   time.Duration // longer without a sign of life and a loop is taken for stuck
	turned  atomic.Int64  // when a loop last made progress: Unix nanoseconds
	lock    *flock.Flock  // of the state directory; nil without one
}

// New prepares the targets, with the state that the last process left, and publishes
// what they stand at. The token key is what token ids are made with.
func New(o Options, targets []Target, key TokenKey, health *metrics.Health, pub Publisher, clock Clock, log *slog.Logger) (*Collector, error) {
	if len(key) < MinTokenKey {
		return nil, errShortKey
	}
	lock, err := lockState(o.StateDir)
	if err != nil {
		return nil, err
	}
	c := &Collector{clock: clock, lock: lock, limit: max(10*o.Interval, 30*time.Minute)}
	for _, t := range targets {
		prepared, err := newTarget(&o, t, key, health, pub, clock, log.With("target", t.Name), c.turn)
		if err != nil {
			c.unlock()
			return nil, fmt.Errorf("target %q: %w", t.Name, err)
		}
		c.targets = append(c.targets, prepared)
	}
	c.turn()
	return c, nil
}

// Run polls until ctx ends; the cycle under way is cut then. It returns nil on a
// clean end, and the state directory is free for another process.
func (c *Collector) Run(ctx context.Context) error {
	defer c.unlock()
	group, ctx := errgroup.WithContext(ctx)
	for _, t := range c.targets {
		group.Go(func() error { return t.run(ctx) })
	}
	return group.Wait()
}

func (c *Collector) unlock() {
	if c.lock != nil {
		_ = c.lock.Close() // the process's end would let go of it too
	}
}

// Status is as of the last commit of each target, in the order of the targets.
func (c *Collector) Status() []Status {
	all := make([]Status, 0, len(c.targets))
	for _, t := range c.targets {
		all = append(all, *t.status.Load())
	}
	return all
}

func (c *Collector) turn() { c.turned.Store(c.clock.Now().UnixNano()) }

// LastTurn is when a loop last made progress.
func (c *Collector) LastTurn() time.Time { return time.Unix(0, c.turned.Load()) }

// Alive tells whether the loops turn. It never depends on what ABS answers: every
// request ends by its timeout, so that a loop without progress for long is stuck.
func (c *Collector) Alive() bool { return c.clock.Now().Sub(c.LastTurn()) < c.limit }
