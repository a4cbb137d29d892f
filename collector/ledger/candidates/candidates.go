// Package candidates keeps the tokens that a reading may admit, in bounded memory.
package candidates

import (
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/collector/topk"
)

// List keeps the tokens that a reading may admit, with what it reports of them, while the rows go
// by: flagged ones first, then the busier ones. Reset comes first.
type List struct {
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

// Reset empties the list, which keeps limit tokens from then on.
func (l *List) Reset(limit int) {
	l.best.Reset(limit)
	if l.rejected == nil {
		l.rejected = tokenid.NewFilter(rejectedBits)
	}
	l.rejected.Clear()
}

// Offer adds a row of a token that is not tracked. It sorts the values.
func (l *List) Offer(id tokenid.ID, requests int64, flagged bool, values []counts.ValueCount) {
	if l.best.Limit() == 0 {
		return
	}
	score := uint64(requests) // never negative in a report
	if e := l.best.Get(id); e != nil {
		e.Value.Total += requests
		e.Value.Merge(counts.Sorted(values), 1)
		l.best.Raise(e, e.Score+score)
		return
	}
	if l.rejected.Has(id) {
		return
	}
	if flagged {
		score += flaggedFirst
	}
	e, lost, full := l.best.Add(id, score)
	if full {
		l.rejected.Add(lost)
	}
	if e != nil {
		e.Value.Reset()
		e.Value.Total = requests
		e.Value.Merge(counts.Sorted(values), 1)
	}
}

// Len returns how many tokens the list has.
func (l *List) Len() int { return l.best.Len() }

// Limit returns how many it keeps.
func (l *List) Limit() int { return l.best.Limit() }

// Sorted returns them with their counts, the best first.
func (l *List) Sorted() []*topk.Entry[tokenid.ID, counts.Counts] { return l.best.Sorted() }
