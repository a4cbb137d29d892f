package ledger

import (
	"errors"
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/ledger/candidates"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Reading gathers the rows of one report. It changes nothing in the ledger, which Apply does.
type Reading struct {
	l     *Ledger // to look up
	job   Job
	began time.Time

	counts.ByToken                                        // but for the values of other, which are gathered in sums
	sums           [counts.NumDimensions][]int64          // by index
	added          [counts.NumDimensions]counts.NewValues // values that the ledger has not yet
	row            []counts.ValueCount
	bySums         [counts.NumDimensions]int64 // of all values, by dimension
	notChosen      [counts.NumDimensions]int64 // requests of the values that are Other's by choice
	tooMany        bool                        // some sum is past metrics.MaxCount
	candidates     candidates.List
}

// Begin starts the reading of a job whose request was sent at began. Apply or Discard must end it.
func (l *Ledger) Begin(j Job, began time.Time) *Reading {
	l.staging.blocks = nil
	var r *Reading
	if n := len(l.spare); n > 0 {
		r, l.spare = l.spare[n-1], l.spare[:n-1]
	} else {
		r = &Reading{l: l}
		r.Grow(l.tracked.size())
	}
	r.Widen(l.tracked.size())
	r.job, r.began, r.Total = j, began, 0
	r.bySums, r.notChosen, r.tooMany = [counts.NumDimensions]int64{}, [counts.NumDimensions]int64{}, false
	r.Other.Reset()
	if cap(r.row) > maxKept {
		r.row = nil
	}
	for i := range r.Tracked {
		r.Tracked[i].Reset()
	}
	for d, t := range l.labels {
		clear(r.sums[d])
		r.added[d].Reset(t)
	}
	r.candidates.Reset(l.admissible(j))
	return r
}

// ErrTooMany is the error of a reading that would take a counter past 2^53, and is not counted.
var ErrTooMany = errors.New("the requests of the report, or a counter with them, are past 2^53, which Prometheus does not hold exactly")

// Check returns ErrTooMany if a reading must not be applied.
func (l *Ledger) Check(r *Reading) error {
	reported, gain := r.Total, r.Total
	if s, sp := r.job.slot, r.job.span(); sp != nil {
		if len(s.spans) > 1 {
			reported += s.reported.Total
			if sp.last != nil {
				reported -= sp.last.Total
			}
		}
		if gain = reported - s.counted.Total; sp.baseline {
			gain, reported = 0, r.Total+s.counted.Total
		}
	}
	if r.tooMany || reported > metrics.MaxCount || gain > metrics.MaxCount-l.total.Total.Value {
		return ErrTooMany
	}
	return nil
}

// maxKept is how many counts of one row a reading keeps memory for.
const maxKept = 1 << 16

// Discard ends a reading that is not to be counted: it failed, or others take its place.
func (l *Ledger) Discard(r *Reading) { l.spare = append(l.spare, r) }

// Add adds one row. The rows of a token add up.
func (r *Reading) Add(id tokenid.ID, row *abs.Row) {
	r.Total += row.Requests
	r.row = r.row[:0]
	r.split(counts.Method, row.Methods)
	r.split(counts.API, row.APIs)
	r.split(counts.Device, row.Devices)
	r.split(counts.IP, row.IPs)
	r.split(counts.URL, row.URLs)
	r.tooMany = r.tooMany || r.Total > metrics.MaxCount || slices.Max(r.bySums[:]) > metrics.MaxCount
	if i, ok := r.l.tracked.index[id]; ok {
		c := &r.Tracked[i]
		c.Total += row.Requests
		c.Merge(counts.Sorted(r.row), 1)
		return
	}
	r.Other.Total += row.Requests
	for _, v := range r.row {
		r.sums[v.ID.Dimension()][v.ID.Index()] += v.N
	}
	_, flagged := r.l.tracked.flagged[id]
	r.candidates.Offer(id, row.Requests, flagged, r.row)
}

func (r *Reading) split(d counts.Dimension, values []abs.Count) {
	if !r.l.counted(d) {
		return
	}
	t := r.l.labels[d]
	for _, v := range values {
		if v.N == 0 {
			continue
		}
		i, chosen := r.added[d].Index(t, v.Key, v.N)
		if !chosen {
			r.notChosen[d] += v.N
		}
		for int(i) >= len(r.sums[d]) {
			r.sums[d] = append(r.sums[d], 0)
		}
		r.bySums[d] += v.N
		r.row = append(r.row, counts.ValueCount{ID: counts.NewValueID(d, i), N: v.N})
	}
}

// finish ends the rows. The indexes of their values are the reading's own until settle.
func (r *Reading) finish() {
	for d := range r.sums {
		for i, n := range r.sums[d] {
			if n != 0 {
				r.Other.Values = append(r.Other.Values, counts.ValueCount{ID: counts.NewValueID(counts.Dimension(d), uint32(i)), N: n})
			}
		}
	}
}

// settle gives the values the indexes that the ledger's tables have by now.
func (r *Reading) settle() {
	var settled [counts.NumDimensions][]uint32
	changed := false
	for d, t := range r.l.labels {
		settled[d] = r.added[d].Settle(t)
		changed = changed || settled[d] != nil
	}
	if !changed {
		return
	}
	settle := func(c *counts.Counts) {
		for i, v := range c.Values {
			if all := settled[v.ID.Dimension()]; all != nil {
				c.Values[i].ID = counts.NewValueID(v.ID.Dimension(), all[v.ID.Index()])
			}
		}
		c.Values = counts.Sorted(c.Values)
	}
	settle(&r.Other)
	for i := range r.Tracked {
		settle(&r.Tracked[i])
	}
	for _, c := range r.candidates.Sorted() {
		settle(&c.Value)
	}
}

// drop removes the split by a dimension.
func (r *Reading) drop(d counts.Dimension) {
	r.Other.Drop(d)
	for i := range r.Tracked {
		r.Tracked[i].Drop(d)
	}
}
