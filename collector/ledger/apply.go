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
	l, p, w := r.l, r.job.part, r.job.piece()
	defer r.Discard()
	r.gather()
	out := Outcome{SlotEnd: p.slot.To, Regressed: r.regressed(w)}
	counted := r.counted(w)
	r.admit(counted)
	if p.withoutIP {
		r.dropIPs()
	}
	for _, place := range l.places {
		if !w.joined[place] {
			w.joined[place] = true
			if !w.baseline && p.restEver {
				counted.join(place, &r.told[place])
			}
		}
	}
	switch told := r.shares(); {
	case w.baseline:
		counted.move(&told, 1)
		p.restEver = p.restEver || !r.rest.isZero()
		w.baseline = false
	case counted == &p.counted:
		out.Gain = r.count()
	}
	if r.began.After(p.slot.read) {
		p.slot.read = r.began
	}
	w.read, w.failed, w.timeouts, w.bytes = r.began, false, 0, bytes
	if bytes >= l.c.ResponseCap/5*4 && l.c.ResponseCap > 0 {
		w.cut, w.asked = true, r.job.Span
	}
	if out.Regressed {
		l.regressions++
	}
	out.Settled = r.job.To.Equal(w.To) && !r.began.Before(w.To.Add(l.c.Settle))
	if len(p.pieces) > 1 {
		r.keep(w, counted, out.Settled)
	}
	if out.Settled {
		p.slot.large = max(p.slot.large, bytes)
		p.slot.bytes += bytes
		l.settle(p, w)
	}
	return out
}

// regressed tells that a piece, or a token that has joined it, fell. Of one that was not
// read since it was cut nobody knows.
func (r *Reading) regressed(w *piece) bool {
	before := w.told
	switch {
	case w.left != nil || w.baseline || w.read.IsZero():
		return false
	case before == nil:
		before = &r.job.part.counted
	}
	if r.total < before.total {
		return true
	}
	if len(w.joined) == 0 {
		return false
	}
	for _, place := range r.l.places {
		if w.joined[place] && r.told[place].total < before.tokens[place].total {
			return true
		}
	}
	return false
}

// counted gives what a reading is to be held against: what was counted from the part and
// is not told by other pieces. Of a piece that was not read since it was cut, that is
// what the cut one left, where this suffices.
func (r *Reading) counted(w *piece) *shares {
	p := r.job.part
	p.counted.room(r.l.c.MaxTokens)
	if w.joined == nil {
		w.joined = make([]bool, r.l.c.MaxTokens)
	}
	alone := len(p.pieces) == 1
	switch {
	case w.told != nil:
		p.counted.move(w.told, 1)
		w.told = nil
	case w.left == nil:
	case !alone && !w.baseline && r.total <= w.left.total:
		w.left.room(r.l.c.MaxTokens)
		return w.left
	default:
		p.counted.move(w.left, 1)
		*w.left = shares{} // the other halves' too
		if alone {
			w.left = nil
		}
	}
	return &p.counted
}

// join gives a listed token an entry of its own. What this reading tells of it leaves the
// rest, uncounted (rule 2).
func (s *shares) join(place int, told *vector) {
	s.tokens[place].move(told, 1)
	s.rest.move(told, -1)
}

// keep parts what a piece of a cut part told from what was counted; the piece remembers it
// unless it is settled. What is left of the one that it was cut from goes back once all of
// that was read.
func (r *Reading) keep(w *piece, counted *shares, settled bool) {
	p := r.job.part
	told := r.shares()
	counted.move(&told, -1)
	if !settled {
		w.told = told.clone()
	}
	p.restEver = p.restEver || !r.rest.isZero() // remembered, even if not counted
	left := w.left
	w.left = nil
	if left != nil && !slices.ContainsFunc(p.pieces, func(o piece) bool { return o.left == left }) {
		p.counted.move(left, 1)
	}
}

// settle takes off a piece that will not be read again.
func (l *Ledger) settle(p *part, w *piece) {
	for i := range p.pieces {
		if &p.pieces[i] == w {
			p.pieces = slices.Delete(p.pieces, i, i+1)
			break
		}
	}
	if len(p.pieces) == 0 {
		l.close(p)
	}
}

// count is rule 1: the whole first, then its shares.
func (r *Reading) count() int64 {
	l, p := r.l, r.job.part
	gain := max(0, r.total-p.counted.total)
	if gain > 0 {
		l.tick(r.began)
	}
	p.counted.total += gain
	p.slot.counted.total += gain
	l.whole.total.Value += gain
	left := gain
	for _, place := range l.sorted() {
		a := &l.accounts[place]
		got := l.share(a, &p.counted.tokens[place], &r.told[place], left)
		if got > 0 {
			a.gained = l.busy
		}
		left -= got
	}
	l.share(&l.other, &p.counted.rest, &r.rest, left)
	l.total(p.slot)
	p.restEver = p.restEver || !p.counted.rest.isZero()
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
	// What the pieces of a cut part have in common is held against more than once, so that
	// the account has to bound it too.
	room := a.unsplit()
	rise := func(k key, n int64) int64 {
		d := k.dimension()
		if n = min(n, counted.total-sums[d], room[d]); n <= 0 {
			return 0
		}
		sums[d] += n
		room[d] -= n
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
