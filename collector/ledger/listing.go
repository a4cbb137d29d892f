package ledger

import (
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// openPlaces is how many tokens the reading of a job may admit: none unless no newer
// slot holds data (rule 5).
func (l *Ledger) openPlaces(j Job) int {
	if j.quiet || j.part.slot.From.Before(l.newest) {
		return 0
	}
	return len(l.free) + len(l.idle())
}

// idle are the places that may be given to others, the first one first: not under
// attack, then longest without gains.
func (l *Ledger) idle() []int {
	var idle []int
	for _, p := range l.places {
		if l.idleFor(p, l.c.DisplaceAfter) {
			idle = append(idle, p)
		}
	}
	slices.SortFunc(idle, func(a, b int) int {
		x, y := &l.accounts[a], &l.accounts[b]
		_, attackedX := l.attacked[x.id]
		_, attackedY := l.attacked[y.id]
		switch {
		case attackedX != attackedY:
			if attackedX {
				return 1
			}
			return -1
		case x.gained != y.gained:
			return int(x.gained - y.gained)
		case x.id < y.id:
			return -1
		default:
			return 1
		}
	})
	return idle
}

// admit lists the best candidates of a reading. What is told of them moves from the
// rest to their own places.
func (r *Reading) admit(counted *shares) {
	l := r.l
	if r.total == 0 || r.job.quiet || r.job.part.slot.From.Before(l.newest) {
		return
	}
	l.newest = r.job.part.slot.From
	var idle []int
	for _, c := range r.candidates.best() {
		if c.told.total == 0 {
			break
		}
		if len(l.free) == 0 && idle == nil {
			idle = slices.DeleteFunc(l.idle(), func(p int) bool { return r.rises(p, counted) })
		}
		if len(l.free) == 0 {
			if len(idle) == 0 {
				break
			}
			r.rest.move(&r.told[idle[0]], 1)
			r.told[idle[0]].reset()
			l.leave(idle[0])
			idle = idle[1:]
		}
		p := l.list(c.id)
		r.rest.move(&c.told, -1)
		r.told[p], c.told = c.told, r.told[p]
	}
}

// rises tells whether this very reading shows requests of a place that were not
// counted.
func (r *Reading) rises(p int, counted *shares) bool {
	if !r.job.piece().joined[p] {
		return r.told[p].total > 0
	}
	return r.told[p].total > counted.tokens[p].total
}

func (l *Ledger) list(id tokenid.ID) (place int) {
	place = l.free[len(l.free)-1]
	l.free = l.free[:len(l.free)-1]
	l.places[id] = place
	l.accounts[place] = account{id: id, gained: l.busy, behind: true}
	l.order = nil
	return place
}

// leave ends the series of a place. What was counted of it in the open parts goes back
// to the rest, so that nothing is counted again when the token returns.
func (l *Ledger) leave(place int) {
	for _, p := range l.parts {
		given := p.counted.leave(place)
		for i := range p.pieces {
			w := &p.pieces[i]
			if len(w.joined) > 0 {
				w.joined[place] = false
			}
			for _, s := range []*shares{w.told, w.left} { // halves have what is left in common: the first one gives it
				given = s != nil && s.leave(place) || given
			}
		}
		p.restEver = p.restEver || given
	}
	delete(l.places, l.accounts[place].id)
	l.accounts[place] = account{}
	l.free = append(l.free, place)
	l.order = nil
}

// expire lets go of the tokens that were idle for too long.
func (l *Ledger) expire() {
	for _, p := range l.sorted() {
		if l.idleFor(p, l.c.Expire) {
			l.leave(p)
		}
	}
}

// idleFor tells whether a token may go: it has gained nothing for so long, and all that
// it ever gained was served.
func (l *Ledger) idleFor(place int, d time.Duration) bool {
	a := &l.accounts[place]
	return l.busy-a.gained >= d && !a.behind && !l.withheld
}
