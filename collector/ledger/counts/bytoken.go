package counts

// ByToken is requests by token: those of tracked tokens by their index, and those of all others
// together. They add up to the total.
type ByToken struct {
	Total   int64
	Other   Counts
	Tracked []Counts // empty as long as there is nothing, since a pause may open many slots
}

// Grow makes room for a number of tracked tokens where there is none.
func (t *ByToken) Grow(tracked int) {
	if len(t.Tracked) == 0 {
		t.Tracked = make([]Counts, tracked)
	}
}

// Widen makes room for more tracked tokens; where there is none, it stays so.
func (t *ByToken) Widen(tracked int) {
	if n := len(t.Tracked); n > 0 && n < tracked {
		t.Tracked = append(t.Tracked, make([]Counts, tracked-n)...)
	}
}

// Move adds sign times o.
func (t *ByToken) Move(o *ByToken, sign int64) {
	t.Total += sign * o.Total
	t.Other.Move(&o.Other, sign)
	t.Grow(len(o.Tracked))
	for i := range o.Tracked {
		if c := &o.Tracked[i]; c.Total != 0 || len(c.Values) > 0 {
			t.Tracked[i].Move(c, sign)
		}
	}
}

// Join moves what a reading reports of a token from other to the token (rule 2).
func (t *ByToken) Join(i int, reported *Counts) {
	t.Tracked[i].Move(reported, 1)
	t.Other.Move(reported, -1)
}

// Leave moves the counts of a token to other, and reports whether there were any.
func (t *ByToken) Leave(i int) bool {
	if len(t.Tracked) == 0 || t.Tracked[i].IsZero() {
		return false
	}
	t.Other.Move(&t.Tracked[i], 1)
	t.Tracked[i].Reset()
	return true
}

// Clone returns a copy in as little memory as it needs.
func (t *ByToken) Clone() *ByToken {
	n := len(t.Other.Values)
	for i := range t.Tracked {
		n += len(t.Tracked[i].Values)
	}
	all := make([]ValueCount, 0, n)
	copied := func(c *Counts) Counts {
		from := len(all)
		all = append(all, c.Values...)
		return Counts{Total: c.Total, Values: all[from:len(all):len(all)]}
	}
	c := &ByToken{Total: t.Total, Other: copied(&t.Other), Tracked: make([]Counts, len(t.Tracked))}
	for i := range t.Tracked {
		c.Tracked[i] = copied(&t.Tracked[i])
	}
	return c
}

// LeaveValue moves the counts of a value to another one.
func (t *ByToken) LeaveValue(id, to ValueID) {
	t.Other.Leave(id, to)
	for i := range t.Tracked {
		t.Tracked[i].Leave(id, to)
	}
}

// AddValues adds sign times the counts of a dimension's values to sums, by index, as far as that
// goes.
func (t *ByToken) AddValues(d Dimension, sums []int64, sign int64) {
	add := func(c *Counts) {
		for _, v := range c.Values {
			if v.ID.Dimension() == d && int(v.ID.Index()) < len(sums) {
				sums[v.ID.Index()] += sign * v.N
			}
		}
	}
	add(&t.Other)
	for i := range t.Tracked {
		add(&t.Tracked[i])
	}
}
