package counts

import (
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Counters are the exposed counters of a tracked token, of all others together, or of the target.
type Counters struct {
	ID     tokenid.ID
	Total  metrics.Count
	Values []ValueCounter // in the order of their ids
	// Gained is the reading of the activity clock at the last gain.
	Gained time.Duration
	// TrackedSince is the number of the reading before which the token was not tracked.
	TrackedSince uint64
	// Behind says that not all that was counted was staged, as a series is still exposed as 0.
	Behind bool
}

// ValueCounter is the counter of a value.
type ValueCounter struct {
	ID ValueID
	metrics.Count
}

// Add adds n to a value, which stands at index from or behind it, and returns its index.
func (c *Counters) Add(id ValueID, n int64, from int) int {
	i := from
	for i < len(c.Values) && c.Values[i].ID < id {
		i++
	}
	if i == len(c.Values) || c.Values[i].ID != id {
		c.Values = slices.Insert(c.Values, i, ValueCounter{ID: id})
	}
	c.Values[i].Value += n
	return i
}

// Drop removes the counters of a dimension.
func (c *Counters) Drop(d Dimension) {
	c.Values = slices.DeleteFunc(c.Values, func(v ValueCounter) bool { return v.ID.Dimension() == d })
}

// Unexposed reports whether a value has gained requests that were never exposed, as its series was
// only exposed as 0.
func (c *Counters) Unexposed(id ValueID) bool { return c.UnexposedOf(id) != 0 }

// UnexposedOf returns how many requests those are.
func (c *Counters) UnexposedOf(id ValueID) int64 {
	i, ok := slices.BinarySearchFunc(c.Values, id, func(v ValueCounter, id ValueID) int { return int(v.ID) - int(id) })
	if !ok || c.Values[i].FirstExposed() != 0 {
		return 0
	}
	return c.Values[i].Value
}

// End ends the series of a value.
func (c *Counters) End(id ValueID) {
	c.Values = slices.DeleteFunc(c.Values, func(v ValueCounter) bool { return v.ID == id })
}
