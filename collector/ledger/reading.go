package ledger

import (
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// Reading gathers the rows of one report. It changes nothing in the ledger, which Apply does.
type Reading struct {
	l     *Ledger // to look up
	job   Job
	began time.Time

	tokenCounts                       // but for the values of other, which are gathered in sums
	sums        [dimensions][]int64   // by index
	added       [dimensions]newValues // values that the ledger has not yet
	row         []valueCount
	candidates  candidates
}

// Begin starts the reading of a job whose request was sent at began. Apply or Discard must end it.
func (l *Ledger) Begin(j Job, began time.Time) *Reading {
	l.staging.blocks = nil
	var r *Reading
	if n := len(l.spare); n > 0 {
		r, l.spare = l.spare[n-1], l.spare[:n-1]
	} else {
		r = &Reading{l: l}
		r.grow(l.tracked.size())
	}
	widen(&r.tokenCounts, l.tracked.size())
	r.job, r.began, r.total = j, began, 0
	r.other.reset()
	for i := range r.tracked {
		r.tracked[i].reset()
	}
	for d, t := range l.labels {
		clear(r.sums[d])
		r.added[d].reset(t)
	}
	r.candidates.reset(l.admissible(j))
	return r
}

// Discard ends a reading that is not to be counted: it failed, or others take its place.
func (l *Ledger) Discard(r *Reading) { l.spare = append(l.spare, r) }

// Add adds one row. The rows of a token add up.
func (r *Reading) Add(id tokenid.ID, row *abs.Row) {
	r.total += row.Requests
	r.row = r.row[:0]
	r.split(Method, row.Methods)
	r.split(API, row.APIs)
	r.split(Device, row.Devices)
	if r.l.keepsIPs() {
		r.split(IP, row.IPs)
	}
	if i, ok := r.l.tracked.index[id]; ok {
		c := &r.tracked[i]
		c.total += row.Requests
		c.merge(sorted(r.row), 1)
		return
	}
	r.other.total += row.Requests
	for _, v := range r.row {
		r.sums[v.id.dimension()][v.id.index()] += v.n
	}
	_, flagged := r.l.tracked.flagged[id]
	r.candidates.offer(id, row.Requests, flagged, r.row)
}

func (r *Reading) split(d Dimension, values []abs.Count) {
	t := r.l.labels[d]
	for _, v := range values {
		if v.N == 0 {
			continue
		}
		i, ok := t.indexes[string(v.Key)]
		if !ok {
			i = r.added[d].index(t, v.Key)
		}
		for int(i) >= len(r.sums[d]) {
			r.sums[d] = append(r.sums[d], 0)
		}
		r.row = append(r.row, valueCount{newValueID(d, i), v.N})
	}
}

// finish ends the rows: their values get their places in the ledger's tables.
func (l *Ledger) finish(r *Reading) {
	for d := range r.sums {
		for i, n := range r.sums[d] {
			if n != 0 {
				r.other.values = append(r.other.values, valueCount{newValueID(Dimension(d), uint32(i)), n})
			}
		}
	}
	moved := false
	for d, t := range l.labels {
		for i, name := range r.added[d].names {
			moved = t.add(name) != r.added[d].first+uint32(i) || moved
		}
	}
	if !moved {
		return
	}
	// A reading that was begun at the same time has added values meanwhile.
	r.renumber(&r.other)
	for i := range r.tracked {
		r.renumber(&r.tracked[i])
	}
	for _, c := range r.candidates.best.Sorted() {
		r.renumber(&c.Value)
	}
}

func (r *Reading) renumber(c *counts) {
	for i, v := range c.values {
		d := v.id.dimension()
		if added := &r.added[d]; v.id.index() >= added.first {
			c.values[i].id = newValueID(d, r.l.labels[d].add(added.names[v.id.index()-added.first]))
		}
	}
	c.values = sorted(c.values)
}

// dropIPs removes the split by IP.
func (r *Reading) dropIPs() {
	r.other.dropIPs()
	for i := range r.tracked {
		r.tracked[i].dropIPs()
	}
}
