package ledger

import (
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/collector/topk"
)

// candidates keeps the tokens that a reading may admit, with what it reports of them, while the
// rows go by: flagged ones first, then the busier ones.
type candidates struct {
	best topk.Best[tokenid.ID, counts.Counts]
	// rejected has the ids that were passed over or evicted. One of them that comes again cannot be
	// admitted in this reading, as some of its rows were not kept. A token mistaken for one of them
	// has a new chance in the next reading.
	rejected *tokenid.Filter
}

// rejectedBits makes the filter 1 MiB: of a million ids passed over it mistakes one in twenty.
const rejectedBits = 23

// flaggedFirst is added to the score of a flagged token: more than any number of requests.
const flaggedFirst = 1 << 63

func (c *candidates) reset(limit int) {
	c.best.Reset(limit)
	if c.rejected == nil {
		c.rejected = tokenid.NewFilter(rejectedBits)
	}
	c.rejected.Clear()
}

// offer adds a row of a token that is not tracked. It sorts the values.
func (c *candidates) offer(id tokenid.ID, requests int64, flagged bool, values []counts.ValueCount) {
	if c.best.Limit() == 0 {
		return
	}
	score := uint64(requests) // never negative in a report
	if e := c.best.Get(id); e != nil {
		e.Value.Total += requests
		e.Value.Merge(counts.Sorted(values), 1)
		c.best.Raise(e, e.Score+score)
		return
	}
	if c.rejected.Has(id) {
		return
	}
	if flagged {
		score += flaggedFirst
	}
	e, lost, full := c.best.Add(id, score)
	if full {
		c.rejected.Add(lost)
	}
	if e != nil {
		e.Value.Reset()
		e.Value.Total = requests
		e.Value.Merge(counts.Sorted(values), 1)
	}
}
