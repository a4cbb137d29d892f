package ledger

import (
	"time"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// count is a Counter in little room, since a ledger may hold millions.
type count struct {
	Value  int64
	born   birth
	series *metrics.Series
}

// birth is when a series was first served, as 0: Unix nanoseconds, of which the last bit
// tells that its value was served since. What was shown once is always shown, whatever
// becomes of the clock or of the hold. 0: not born yet.
type birth int64

func bornAt(ns int64) birth { return birth(ns &^ 1) }
func (b birth) at() int64   { return int64(b &^ 1) }
func (b birth) shown() bool { return b&1 != 0 }

// births are Births for counts: those that were born are found among all, and need no list.
type births struct {
	hold   time.Duration
	staged int64 // when the snapshot was staged
	any    bool  // it shows a series for the first time
}

// made tells whether the count has its series already, which is nearly always.
func (c *count) made() bool { return c.series != nil && c.born != 0 }

// sample is what the count shows in the snapshot that is staged now.
func (b *births) sample(c *count) metrics.Sample {
	if c.born != 0 && b.staged-c.born.at() >= int64(b.hold) {
		c.born |= 1
	}
	s := metrics.Sample{Series: c.series}
	if c.born.shown() {
		s.Value = c.Value
	}
	return s
}

// created is when the series of a count begins that has none yet, or one that was not served.
func (b *births) created(c *count) time.Time {
	if c.born == 0 {
		return time.Unix(0, b.staged)
	}
	return time.Unix(0, c.born.at()) // restored from state
}

// birth is what the state remembers of a birth; see Births.Birth.
func (c *count) birth() int64 {
	if !c.born.shown() {
		return 0
	}
	return c.born.at()
}

// published tells that what was staged of an account is served.
func (b *births) published(a *account, at int64) {
	b.bearOne(&a.total, at)
	for i := range a.cells {
		b.bearOne(&a.cells[i].count, at)
	}
}

func (b *births) bearOne(c *count, at int64) {
	if c.series == nil || c.born != 0 {
		return
	}
	c.born = bornAt(at)
	if at != b.staged {
		c.series = nil // its created timestamp is to be its birth; it is still served as 0
	}
}
