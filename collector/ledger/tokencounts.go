package ledger

import "github.com/abs-exporter/abs-exporter/collector/ledger/counts"

// tokenCounts are requests by token: those of tracked tokens by their index, and those of all
// others together. They add up to the total.
type tokenCounts struct {
	total   int64
	other   counts.Counts
	tracked []counts.Counts // empty as long as there is nothing, since a pause may open many slots
}

func (t *tokenCounts) grow(tracked int) {
	if len(t.tracked) == 0 {
		t.tracked = make([]counts.Counts, tracked)
	}
}

// move adds sign times o.
func (t *tokenCounts) move(o *tokenCounts, sign int64) {
	t.total += sign * o.total
	t.other.Move(&o.other, sign)
	t.grow(len(o.tracked))
	for i := range o.tracked {
		if c := &o.tracked[i]; c.Total != 0 || len(c.Values) > 0 {
			t.tracked[i].Move(c, sign)
		}
	}
}

// join moves what a reading reports of a token from other to the token (rule 2).
func (t *tokenCounts) join(i int, reported *counts.Counts) {
	t.tracked[i].Move(reported, 1)
	t.other.Move(reported, -1)
}

// leave moves the counts of a token to other, and reports whether there were any.
func (t *tokenCounts) leave(i int) bool {
	if len(t.tracked) == 0 || t.tracked[i].IsZero() {
		return false
	}
	t.other.Move(&t.tracked[i], 1)
	t.tracked[i].Reset()
	return true
}

// clone returns a copy in as little memory as it needs.
func (t *tokenCounts) clone() *tokenCounts {
	n := len(t.other.Values)
	for i := range t.tracked {
		n += len(t.tracked[i].Values)
	}
	all := make([]counts.ValueCount, 0, n)
	copied := func(c *counts.Counts) counts.Counts {
		from := len(all)
		all = append(all, c.Values...)
		return counts.Counts{Total: c.Total, Values: all[from:len(all):len(all)]}
	}
	c := &tokenCounts{total: t.total, other: copied(&t.other), tracked: make([]counts.Counts, len(t.tracked))}
	for i := range t.tracked {
		c.tracked[i] = copied(&t.tracked[i])
	}
	return c
}

// leaveValue moves the counts of a value to another one.
func (t *tokenCounts) leaveValue(id, to counts.ValueID) {
	t.other.Leave(id, to)
	for i := range t.tracked {
		t.tracked[i].Leave(id, to)
	}
}

// addValues adds sign times the counts of a dimension's values to sums, by index, as far as that
// goes.
func (t *tokenCounts) addValues(d counts.Dimension, sums []int64, sign int64) {
	add := func(c *counts.Counts) {
		for _, v := range c.Values {
			if v.ID.Dimension() == d && int(v.ID.Index()) < len(sums) {
				sums[v.ID.Index()] += sign * v.N
			}
		}
	}
	add(&t.other)
	for i := range t.tracked {
		add(&t.tracked[i])
	}
}
