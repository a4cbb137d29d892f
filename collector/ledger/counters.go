package ledger

import (
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// counters are the exposed counters of a tracked token, of all others together, or of the target.
type counters struct {
	id     tokenid.ID
	total  metrics.Count
	values []valueCounter // in the order of their ids
	// gained is the reading of the activity clock at the last gain.
	gained time.Duration
	// trackedSince is the number of the reading before which the token was not tracked.
	trackedSince uint64
	// behind says that not all that was counted was staged, as a series is still exposed as 0.
	behind bool
}

type valueCounter struct {
	id valueID
	metrics.Count
}

// add adds n to a value, which stands at index from or behind it, and returns its index.
func (c *counters) add(id valueID, n int64, from int) int {
	i := from
	for i < len(c.values) && c.values[i].id < id {
		i++
	}
	if i == len(c.values) || c.values[i].id != id {
		c.values = slices.Insert(c.values, i, valueCounter{id: id})
	}
	c.values[i].Value += n
	return i
}

// drop removes the counters of a dimension.
func (c *counters) drop(d Dimension) {
	c.values = slices.DeleteFunc(c.values, func(v valueCounter) bool { return v.id.dimension() == d })
}

// families are the metrics that counters are exposed as; nil where they have no series.
type families struct {
	total  *metrics.Family
	values [dimensions]*metrics.Family
}

func totalFamilies() families {
	return families{
		total: metrics.Requests,
		values: [dimensions]*metrics.Family{
			Method: metrics.MethodRequests, API: metrics.APIRequests, Device: metrics.DeviceRequests,
		},
	}
}

// tokenFamilies returns those with the label token, for the dimensions that are wanted.
func tokenFamilies(wanted []Dimension) families {
	all := [dimensions]*metrics.Family{
		Method: metrics.TokenMethodRequests, API: metrics.TokenAPIRequests,
		Device: metrics.TokenDeviceRequests, IP: metrics.TokenIPRequests,
	}
	f := families{total: metrics.TokenRequests}
	for _, d := range wanted {
		f.values[d] = all[d]
	}
	return f
}
