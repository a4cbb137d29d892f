package counts

import (
	"fmt"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

func contradiction(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrState, fmt.Sprintf(format, args...))
}

// CheckCounters returns why counters cannot be those of a ledger; nil if they may be.
func CheckCounters(all []Counters) error {
	ids := make(map[tokenid.ID]bool, len(all))
	for i := range all {
		c := &all[i]
		if i >= 2 { // the total and the other tokens have no id
			if ids[c.ID] {
				return contradiction("a token is there twice")
			}
			ids[c.ID] = true
		}
		if outside(&c.Total) {
			return contradiction("a counter is %d", c.Total.Value)
		}
		for k := range c.Values {
			if outside(&c.Values[k].Count) {
				return contradiction("a counter is %d", c.Values[k].Value)
			}
			if k > 0 && c.Values[k].ID <= c.Values[k-1].ID {
				return contradiction("label values in no order")
			}
		}
	}
	return nil
}

func outside(c *metrics.Count) bool { return c.Value < 0 || c.Value > metrics.MaxCount }

// CheckCounts returns why counts cannot be those of a slot; nil if they may be. They may be below
// 0 (rule 2).
func CheckCounts(all []Counts) error {
	for i := range all {
		c := &all[i]
		if c.Total < -metrics.MaxCount || c.Total > metrics.MaxCount {
			return contradiction("%d requests", c.Total)
		}
		for k, v := range c.Values {
			if v.N < -metrics.MaxCount || v.N > metrics.MaxCount {
				return contradiction("%d requests", v.N)
			}
			if k > 0 && v.ID <= c.Values[k-1].ID {
				return contradiction("label values in no order")
			}
		}
	}
	return nil
}
