package ledger

import (
	"slices"
	"time"
)

// Outcome is what a reading came to.
type Outcome struct {
	Gain      int64     // requests counted
	SlotEnd   time.Time // of the slot they were counted from
	Settled   bool      // the part will not be read again
	Regressed bool      // it, or a token that has joined it, fell
}

// Apply counts a complete reading: what it tells above what was counted before, and
// never anything twice. bytes is the length of the report.
func (r *Reading) Apply(bytes int64) Outcome {
	l, p := r.l, r.job.part
	defer r.Discard()
	r.gather()
	p.room(l.c.MaxTokens)
	r.admit()
	if p.withoutIP {
		r.dropIPs()
	}
	out := Outcome{SlotEnd: p.slot.To}
	alone, restEver := len(p.pieces) == 1, p.restEver
	for _, place := range l.places {
		switch {
		case p.joined[place]:
		case alone, p.baseline, !restEver:
			p.join(place, &r.told[place])
		default:
			// What the other pieces hold of it is still among the rest: it joins the piece
			// that was read, once that is a part of its own.
			r.rest.move(&r.told[place], 1)
		}
	}
	switch {
	case p.baseline && alone:
		p.take(r)
		p.baseline = false
	case !p.baseline:
		if alone {
			out.Regressed = r.regressed()
		}
		out.Gain = r.count()
	}
	if !alone {
		p = l.splitOff(r, restEver)
	}
	if r.began.After(p.slot.read) {
		p.slot.read = r.began
	}
	w := &p.pieces[0]
	w.read, w.failed, w.timeouts, w.bytes = r.began, false, 0, bytes
	if bytes >= l.c.ResponseCap/5*4 && l.c.ResponseCap > 0 {
		w.cut, w.asked = true, r.job.Span
	}
	if out.Regressed {
		l.regressions++
	}
	if r.job.To.Equal(w.To) && !r.began.Before(w.To.Add(l.c.Settle)) {
		out.Settled = true
		p.slot.large = max(p.slot.large, bytes)
		p.slot.bytes += bytes
		l.close(p)
	}
	return out
}

// join makes a listed token an own entry of the part. What this reading tells of it
// leaves the rest, uncounted; where the rest never counted anything, none of it was
// counted, and the token keeps its first requests (rule 2).
func (p *part) join(place int, told *vector) {
	p.joined[place] = true
	v := &p.counted[place]
	v.reset()
	if p.baseline || !p.restEver {
		return
	}
	v.set(told)
	p.rest.move(told, -1)
}

// take remembers a reading as counted without counting it.
func (p *part) take(r *Reading) {
	for _, place := range r.l.places {
		p.counted[place].set(&r.told[place])
	}
	p.rest.set(&r.rest)
	p.restEver = p.restEver || !p.rest.isZero()
	p.total = r.total
}

func (r *Reading) regressed() bool {
	p := r.job.part
	if r.total < p.total {
		return true
	}
	for _, place := range r.l.places {
		if r.told[place].total < p.counted[place].total {
			return true
		}
	}
	return false
}

// count is rule 1: the whole first, then its shares.
func (r *Reading) count() int64 {
	l, p := r.l, r.job.part
	gain := max(0, r.total-p.total)
	if gain > 0 {
		l.tick(r.began)
	}
	p.total += gain
	p.slot.counted.total += gain
	l.whole.total.Value += gain
	left := gain
	for _, place := range l.sorted() {
		if !p.joined[place] {
			continue
		}
		a := &l.accounts[place]
		got := l.share(a, &p.counted[place], &r.told[place], left)
		if got > 0 {
			a.gained = l.busy
		}
		left -= got
	}
	l.share(&l.other, &p.rest, &r.rest, left)
	l.total(p.slot)
	p.restEver = p.restEver || !p.rest.isZero()
	return gain
}

// share gives an account its rise, at most what is left of the whole's gain; and inside
// it every value its rise, a dimension at most what the account has been counted. What
// the values rose by is for total to add to the target's.
func (l *Ledger) share(a *account, counted, told *vector, left int64) int64 {
	got := min(max(0, told.total-counted.total), left)
	counted.total += got
	a.total.Value += got
	sums := counted.byDimension()
	if a.cells == nil && got > 0 {
		a.cells = make([]accountCell, 0, len(told.cells))
	}
	place := 0 // in the account
	rise := func(k key, n int64) int64 {
		d := k.dimension()
		if n = min(n, counted.total-sums[d]); n <= 0 {
			return 0
		}
		sums[d] += n
		place = a.gain(k, n, place)
		for int(k.value()) >= len(l.gains[d]) {
			l.gains[d] = append(l.gains[d], 0)
		}
		l.gains[d][k.value()] += n
		return n
	}
	owed := false
	if len(counted.cells) == 0 && got > 0 {
		counted.cells = slices.Grow(counted.cells, len(told.cells))
	}
	i := 0
	for _, c := range told.cells {
		for i < len(counted.cells) && counted.cells[i].k < c.k {
			owed = owed || counted.cells[i].n < 0
			i++
		}
		if i < len(counted.cells) && counted.cells[i].k == c.k {
			counted.cells[i].n += rise(c.k, c.n-counted.cells[i].n)
			owed = owed || counted.cells[i].n < 0
			continue
		}
		if n := rise(c.k, c.n); n > 0 {
			counted.cells = slices.Insert(counted.cells, i, cell{c.k, n})
		}
	}
	for ; i < len(counted.cells); i++ {
		owed = owed || counted.cells[i].n < 0
	}
	if !owed {
		return got
	}
	place = 0
	for i, c := range counted.cells {
		if c.n < 0 { // remembered as owed, and not told of here
			counted.cells[i].n += rise(c.k, told.at(c.k)-c.n)
		}
	}
	return got
}

// total adds what the accounts' values rose by to the target's and the slot's.
func (l *Ledger) total(s *slot) {
	place := 0
	for d, gains := range l.gains {
		for v, n := range gains {
			if n != 0 {
				k := keyOf(Dimension(d), uint32(v))
				place = l.whole.gain(k, n, place)
				s.counted.add(k, n)
			}
		}
		clear(gains)
	}
}

// splitOff makes a piece of a cut part, now read, a part of its own. It remembers what
// it told; the others share the remainder, signed (rule 4). restEver is whether the
// rest had counted anything before this reading.
func (l *Ledger) splitOff(r *Reading, restEver bool) *part {
	p := r.job.part
	q := &part{slot: p.slot, total: r.total}
	q.joined = make([]bool, len(p.joined))
	q.counted = make([]vector, len(p.counted))
	if !p.baseline {
		p.rest.move(&r.rest, -1)
		p.total -= r.total
		p.restEver = restEver || !p.rest.isZero()
	}
	for _, place := range l.places {
		told := &r.told[place]
		q.joined[place] = true
		q.counted[place].set(told)
		switch {
		case !p.joined[place]:
			r.rest.move(told, -1)
		case !p.baseline:
			p.counted[place].move(told, -1)
		}
	}
	q.rest.set(&r.rest)
	q.restEver = restEver || !q.rest.isZero()
	for i, w := range p.pieces {
		if w.Span == r.job.whole {
			q.pieces = append(q.pieces, w)
			p.pieces = append(p.pieces[:i], p.pieces[i+1:]...)
			break
		}
	}
	p.slot.parts++
	l.insert(q)
	return q
}
