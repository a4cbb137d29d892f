package simulator

import (
	"cmp"
	"context"
	"math"
	"slices"
)

// view is what ABS knows of a window at one time: all that a report about it needs, collected at
// one moment, so that a report is consistent however long its writing lasts.
type view struct {
	spans   []span // in nanoseconds
	seconds []span // the same for generated requests, which happen at whole seconds
	at      int64  // nanoseconds
	cell0   int64
	visible []uint8 // for each cell from cell0 on, the lanes that are reported by now

	mixed  map[tokenID]*tokenCounts // the requests of Add for tokens that have generated ones too
	others []*tokenCounts           // and for all others
}

// ever is a time at which nothing is late any more.
const ever = math.MaxInt64

// nothing is a time at which nothing is known yet.
const nothing = math.MinInt64

// view collects what is known of some spans of time at a moment.
func (s *Simulator) view(spans []span, at int64) *view {
	v := &view{spans: spans, at: at}
	if len(spans) == 0 {
		return v
	}
	if s.traffic.tokens > 0 {
		v.setCells(s)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addEvents(v)
	return v
}

func (v *view) setCells(s *Simulator) {
	t := &s.traffic
	for _, sp := range v.spans {
		lo, hi := max(ceilSecond(sp.lo), t.begin), min(ceilSecond(sp.hi), t.end)
		if v.at != ever {
			hi = min(hi, floorDiv(v.at, second)+1)
		}
		if lo < hi {
			v.seconds = append(v.seconds, span{lo, hi})
		}
	}
	if len(v.seconds) == 0 {
		return
	}
	v.cell0 = floorDiv(v.seconds[0].lo, t.cell)
	last := floorDiv(v.seconds[len(v.seconds)-1].hi-1, t.cell)
	v.visible = make([]uint8, last-v.cell0+1)
	for i := range v.visible {
		v.visible[i] = s.visibleLanes(v.cell0+int64(i), v.at)
	}
}

// visibleLanes returns the set of lanes whose share of a batch is reported at a time.
func (s *Simulator) visibleLanes(cell, at int64) uint8 {
	end := (cell + 1) * s.traffic.cell * second
	if at == ever || s.cfg.Immediate || end+int64(s.cfg.DelayMax) <= at {
		return 0xff
	}
	var visible uint8
	for lane := range uint64(lanes) {
		if end+s.delay(cell, lane) <= at {
			visible |= 1 << lane
		}
	}
	return visible
}

// delay returns how long after a batch's end its share of one lane is reported, in nanoseconds.
func (s *Simulator) delay(cell int64, lane uint64) int64 {
	h := mix(mix(s.traffic.seed, k1^uint64(cell)), lane)
	usual, most := uint64(s.cfg.Delay), uint64(s.cfg.DelayMax)
	if h&0xff < 256/12 {
		return int64(usual + below(mix(h, 1), most-usual+1))
	}
	return int64(usual - below(mix(h, 2), usual/2+1))
}

// each calls row for each token that has requests in the view, in an order that is shuffled by the
// salt. The counts are good until row returns. With totalsOnly, which costs less, only their total
// is set.
func (t *traffic) each(ctx context.Context, v *view, salt uint64, totalsOnly bool, row func(*tokenCounts) error) error {
	others := v.others
	if t.tokens > 0 && len(v.seconds) > 0 {
		step, slot := shuffle(t.tokens, salt)
		var c tokenCounts
		first, last := v.seconds[0].lo, v.seconds[len(v.seconds)-1].hi-1
		for i := range t.tokens {
			if i&0xfff == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			for len(others) > 0 && uint64(len(v.others)-len(others))*t.tokens < i*uint64(len(v.others)) {
				if err := row(others[0]); err != nil {
					return err
				}
				others = others[1:]
			}
			s := uint32(slot)
			slot = (slot + step) % t.tokens
			for life := t.lifeAt(s, first); life <= t.lifeAt(s, last); life++ {
				t.countToken(&c, v, tokenID{s, life}, totalsOnly)
				if c.total == 0 {
					continue
				}
				if err := row(&c); err != nil {
					return err
				}
			}
		}
	}
	for _, o := range others {
		if err := row(o); err != nil {
			return err
		}
	}
	return nil
}

// countToken sets c to the requests of a generated token, those of Add included.
func (t *traffic) countToken(c *tokenCounts, v *view, id tokenID, totalsOnly bool) {
	added := v.mixed[id]
	if totalsOnly {
		if c.total = t.visit(id, v, nil, nil); added != nil {
			c.total += added.total
		}
		return
	}
	p, sum := t.profile(t.tokenSeed(id)), tally{}
	t.visit(id, v, &p, &sum)
	t.fill(c, id, &p, &sum)
	if added != nil {
		c.merge(added)
	}
}

// shuffle returns an order of the numbers below n that needs no memory: from start in steps, modulo
// n.
func shuffle(n, salt uint64) (step, start uint64) {
	start = below(mix(salt, 1), n)
	step = below(mix(salt, 2), n)
	for gcd(step, n) != 1 {
		if step++; step > n {
			step = 1
		}
	}
	return step % n, start
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// addEvents adds the requests of Add to the view. The caller has the lock.
func (s *Simulator) addEvents(v *view) {
	if !s.sorted {
		slices.SortStableFunc(s.events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
		s.sorted = true
	}
	byToken := map[string]*tokenCounts{}
	for _, sp := range v.spans {
		i, _ := slices.BinarySearchFunc(s.events, sp.lo, func(e event, lo int64) int { return cmp.Compare(e.at, lo) })
		for ; i < len(s.events) && s.events[i].at < sp.hi; i++ {
			e := &s.events[i]
			if !e.visible(v.at) {
				continue
			}
			c := byToken[e.Token]
			if c == nil {
				c = &tokenCounts{token: []byte(e.Token)}
				byToken[e.Token] = c
				if e.generated && v.visits(&s.traffic, e.id) {
					if v.mixed == nil {
						v.mixed = map[tokenID]*tokenCounts{}
					}
					v.mixed[e.id] = c
				} else {
					v.others = append(v.others, c)
				}
			}
			c.add(&e.Event)
		}
	}
	slices.SortFunc(v.others, func(a, b *tokenCounts) int {
		x, y := string(a.token), string(b.token)
		return cmp.Or(cmp.Compare(mixString(s.cfg.Seed, x), mixString(s.cfg.Seed, y)), cmp.Compare(x, y))
	})
}

// visits returns whether each passes a generated token.
func (v *view) visits(t *traffic, id tokenID) bool {
	if len(v.seconds) == 0 {
		return false
	}
	return t.lifeAt(id.slot, v.seconds[0].lo) <= id.life &&
		id.life <= t.lifeAt(id.slot, v.seconds[len(v.seconds)-1].hi-1)
}
