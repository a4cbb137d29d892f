package collector

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Collector polls every target on the clock's grid and publishes what it counts.
type Collector struct {
	targets []*target
	clock   Clock
	limit   time.Duration   // longer without a sign of life and a loop is taken for stuck
	turned  []*atomic.Int64 // when each loop last made progress: Unix nanoseconds
}

// New prepares the targets, with the state that the last process left, and publishes
// what they stand at. The token key is what token ids are made with. Whoever calls it
// with a state directory holds its LockState.
func New(o Options, targets []Target, key tokenid.Key, health *metrics.Health, pub Publisher, clock Clock, log *slog.Logger) (*Collector, error) {
	if len(key) < tokenid.MinKey {
		return nil, tokenid.ErrShortKey
	}
	c := &Collector{clock: clock, limit: max(10*o.Interval, 30*time.Minute)}
	for _, t := range targets {
		turned := &atomic.Int64{}
		turn := func() { turned.Store(clock.Now().UnixNano()) }
		turn()
		c.turned = append(c.turned, turned)
		prepared, err := newTarget(&o, t, key, health, pub, clock, log.With("target", t.Name), turn)
		if err != nil {
			return nil, fmt.Errorf("target %q: %w", t.Name, err)
		}
		c.targets = append(c.targets, prepared)
	}
	return c, nil
}

// Run polls until ctx ends; the cycle under way is cut then. It returns nil on a
// clean end.
func (c *Collector) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, t := range c.targets {
		group.Go(func() error { return t.run(ctx) })
	}
	return group.Wait()
}

// Status is as of the last commit of each target, in the order of the targets.
func (c *Collector) Status() []Status {
	all := make([]Status, 0, len(c.targets))
	for _, t := range c.targets {
		all = append(all, *t.status.Load())
	}
	return all
}

// LastTurn is when the loop that has been still for longest last made progress.
func (c *Collector) LastTurn() time.Time {
	last := c.clock.Now().UnixNano()
	for _, turned := range c.turned {
		last = min(last, turned.Load())
	}
	return time.Unix(0, last)
}

// Alive tells whether the loops turn. It never depends on what ABS answers: every
// request ends by its timeout, so that a loop without progress for long is stuck.
func (c *Collector) Alive() bool { return c.clock.Now().Sub(c.LastTurn()) < c.limit }
