package ledger

import (
	"time"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// Counter is the value of one counter series and the story of its birth: it is served
// as 0 for one whole cycle before its first value, so that a Prometheus without any
// feature flag sees the first increase (rule 7).
type Counter struct {
	Value  int64
	Born   time.Time // when it was first served, as 0; zero: not yet
	shown  bool      // its value was served since: it is from then on, whatever becomes of the clock
	series *metrics.Series
}

// RestoredCounter is a counter as the state has it: only births whose value was served.
func RestoredCounter(value int64, born time.Time) *Counter {
	return &Counter{Value: value, Born: born, shown: !born.IsZero()}
}

// Births are the series that the snapshot being staged shows for the first time. They
// are born when the snapshot is published, and not at all when it cannot be saved.
type Births struct {
	// Hold is how long a newborn is served as 0.
	Hold    time.Duration
	offered []*Counter
	staged  time.Time // when the snapshot was staged
}

// Sample is what a counter shows in the snapshot that is staged now.
func (b *Births) Sample(c *Counter, now time.Time, f *metrics.Family, values ...string) metrics.Sample {
	if s, ok := b.known(c, now); ok {
		return s
	}
	return b.first(c, now, f, values...)
}

// known is Sample for a series that was made before, which is nearly always.
func (b *Births) known(c *Counter, now time.Time) (metrics.Sample, bool) {
	b.staged = now
	if c.series == nil || c.Born.IsZero() {
		return metrics.Sample{}, false
	}
	s := metrics.Sample{Series: c.series}
	if c.shown = c.shown || now.Sub(c.Born) >= b.Hold; c.shown {
		s.Value = c.Value
	}
	return s, true
}

// first makes the series: of a newborn, or of a counter restored from state.
func (b *Births) first(c *Counter, now time.Time, f *metrics.Family, values ...string) metrics.Sample {
	created := c.Born
	if created.IsZero() {
		created = now
		b.offered = append(b.offered, c)
	}
	c.series = metrics.NewSeries(f, created, values...)
	s, ok := b.known(c, now)
	if !ok {
		s.Series = c.series
	}
	return s
}

// Birth is what the state remembers of a birth: nothing while the counter is still
// staged as 0. The process may end before anybody has seen that 0, so that the next one
// has to serve it for the whole time again.
func (b *Births) Birth(c *Counter) time.Time {
	if !c.shown {
		return time.Time{}
	}
	return c.Born
}

// Published tells that the snapshot that was staged is served from now on.
func (b *Births) Published(now time.Time) {
	for _, c := range b.offered {
		c.Born = now
		if !now.Equal(b.staged) {
			// Its created timestamp is to be its birth, or it would be another one after a
			// restart. It is still served as 0, so that it may yet begin anew.
			c.series = nil
		}
	}
	b.offered = b.offered[:0]
}

// Withdrawn tells that the staged snapshot will not be served.
func (b *Births) Withdrawn() { b.offered = b.offered[:0] }
