package ledger

import (
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// Reading gathers the rows of one report. It changes nothing before Apply, and nothing
// at all when it is dropped.
type Reading struct {
	l     *Ledger
	job   Job
	began time.Time

	told  []vector // by place
	rest  vector   // told of all others; its cells are gathered in sums
	sums  [dimensions][]int64
	total int64

	marks      [dimensions]int // how many values the tables held before
	row        []cell
	candidates candidates
}

// Begin starts the reading of a job whose request was sent at began. Apply, Drop or
// Discard must end it.
func (l *Ledger) Begin(j Job, began time.Time) *Reading {
	l.staged = nil
	var r *Reading
	if n := len(l.spare); n > 0 {
		r, l.spare = l.spare[n-1], l.spare[:n-1]
	} else {
		r = &Reading{l: l, told: make([]vector, l.c.MaxTokens)}
	}
	r.job, r.began = j, began
	r.total = 0
	for p := range r.told {
		r.told[p].reset()
	}
	r.rest.reset()
	for d, t := range l.tables {
		clear(r.sums[d])
		r.marks[d] = len(t.names)
	}
	r.candidates.reset(l.openPlaces(j))
	return r
}

// Add takes one row. A token's rows add up.
func (r *Reading) Add(id tokenid.ID, row *abs.Row) {
	r.total += row.Requests
	r.row = r.row[:0]
	r.split(Method, row.Methods)
	r.split(API, row.APIs)
	r.split(Device, row.Devices)
	if r.l.keepIP {
		r.split(IP, row.IPs)
	}
	if p, ok := r.l.places[id]; ok {
		v := &r.told[p]
		v.total += row.Requests
		v.merge(inOrder(r.row), 1)
		return
	}
	r.rest.total += row.Requests
	for _, c := range r.row {
		r.sums[c.k.dimension()][c.k.value()] += c.n
	}
	_, attacked := r.l.attacked[id]
	r.candidates.offer(id, row.Requests, attacked, r.row)
}

func (r *Reading) split(d Dimension, counts []abs.Count) {
	for _, c := range counts {
		if c.N == 0 {
			continue
		}
		v := r.l.tables[d].of(c.Key)
		for int(v) >= len(r.sums[d]) {
			r.sums[d] = append(r.sums[d], 0)
		}
		r.row = append(r.row, cell{keyOf(d, v), c.N})
	}
}

// dropIPs takes the IPs out, which stand behind all other cells.
func (r *Reading) dropIPs() {
	r.rest.dropIPs()
	for p := range r.told {
		r.told[p].dropIPs()
	}
}

func (v *vector) dropIPs() {
	i, _ := v.search(keyOf(IP, 0))
	v.cells = v.cells[:i]
}

// Drop ends a reading that failed: the last one that was begun.
func (r *Reading) Drop() {
	for d, t := range r.l.tables {
		t.forget(r.marks[d])
	}
	r.Discard()
}

// Discard ends a reading that is complete but not to be counted.
func (r *Reading) Discard() { r.l.spare = append(r.l.spare, r) }

// gather ends the rows.
func (r *Reading) gather() {
	for d := range r.sums {
		for v, n := range r.sums[d] {
			if n != 0 {
				r.rest.cells = append(r.rest.cells, cell{keyOf(Dimension(d), uint32(v)), n})
			}
		}
	}
}
