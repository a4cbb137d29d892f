package ledger

import "slices"

// shares are requests and whose they are: those of tokens that have joined, by place, and
// those of all others. Numbers may be negative where counts were moved.
type shares struct {
	total  int64
	rest   vector
	tokens []vector // empty before the first reading
}

// room makes room for listed tokens, once there is something: a pause may leave many parts
// to read.
func (s *shares) room(places int) {
	if s.tokens == nil {
		s.tokens = make([]vector, places)
	}
}

// move adds sign times o.
func (s *shares) move(o *shares, sign int64) {
	s.total += sign * o.total
	s.rest.move(&o.rest, sign)
	if len(o.tokens) > 0 {
		s.room(len(o.tokens))
	}
	for place := range o.tokens {
		if v := &o.tokens[place]; v.total != 0 || len(v.cells) > 0 {
			s.tokens[place].move(v, sign)
		}
	}
}

// leave gives what a place has to the rest, and tells whether that was anything.
func (s *shares) leave(place int) bool {
	if len(s.tokens) == 0 || s.tokens[place].isZero() {
		return false
	}
	s.rest.move(&s.tokens[place], 1)
	s.tokens[place].reset()
	return true
}

// shares is what a reading told. It is good until the reading ends.
func (r *Reading) shares() shares { return shares{total: r.total, rest: r.rest, tokens: r.told} }

// clone is a copy that stays.
func (s *shares) clone() *shares {
	c := &shares{total: s.total, tokens: make([]vector, len(s.tokens))}
	c.rest.set(&s.rest)
	for place := range s.tokens {
		c.tokens[place].cells = slices.Clone(s.tokens[place].cells)
		c.tokens[place].total = s.tokens[place].total
	}
	return c
}
