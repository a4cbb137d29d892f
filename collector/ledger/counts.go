package ledger

import "slices"

// counts is a number of requests and its split by the values of each dimension, in the order of
// their ids. Numbers may be negative where counts were moved (rule 2).
type counts struct {
	total  int64
	values []valueCount
}

type valueCount struct {
	id valueID
	n  int64
}

func (c *counts) reset() {
	c.total = 0
	c.values = c.values[:0]
}

func (c *counts) add(id valueID, n int64) {
	i, ok := slices.BinarySearchFunc(c.values, id, func(v valueCount, id valueID) int { return int(v.id) - int(id) })
	if !ok {
		c.values = slices.Insert(c.values, i, valueCount{id: id})
	}
	c.values[i].n += n
}

// merge adds sign times values that are in order and each there once.
func (c *counts) merge(values []valueCount, sign int64) {
	if len(c.values) == 0 {
		c.values = slices.Grow(c.values, len(values))
		for _, v := range values {
			c.values = append(c.values, valueCount{v.id, sign * v.n})
		}
		return
	}
	i := 0
	for _, v := range values {
		for i < len(c.values) && c.values[i].id < v.id {
			i++
		}
		if i == len(c.values) || c.values[i].id != v.id {
			c.values = slices.Insert(c.values, i, valueCount{id: v.id})
		}
		c.values[i].n += sign * v.n
	}
}

// move adds sign times o.
func (c *counts) move(o *counts, sign int64) {
	c.total += sign * o.total
	if len(o.values) < len(c.values)/8 { // one token and all others: not worth a pass over these
		for _, v := range o.values {
			c.add(v.id, sign*v.n)
		}
		return
	}
	c.merge(o.values, sign)
}

func (c *counts) isZero() bool {
	return c.total == 0 && !slices.ContainsFunc(c.values, func(v valueCount) bool { return v.n != 0 })
}

func (c *counts) byDimension() (sums [dimensions]int64) {
	for _, v := range c.values {
		sums[v.id.dimension()] += v.n
	}
	return sums
}

// dropIPs removes the IPs, which follow all other values.
func (c *counts) dropIPs() {
	for i, v := range c.values {
		if v.id.dimension() == IP {
			c.values = c.values[:i]
			return
		}
	}
}

// sorted sorts values in place and adds up those of one id. Rows are short, and their values nearly
// in order.
func sorted(values []valueCount) []valueCount {
	n := 0
	for _, v := range values {
		i := n
		for i > 0 && values[i-1].id > v.id {
			i--
		}
		if i > 0 && values[i-1].id == v.id {
			values[i-1].n += v.n
			continue
		}
		copy(values[i+1:n+1], values[i:n])
		values[i] = v
		n++
	}
	return values[:n]
}

// tokenCounts are requests by token: those of tracked tokens by their index, and those of all
// others together. They add up to the total.
type tokenCounts struct {
	total   int64
	other   counts
	tracked []counts // empty as long as there is nothing, since a pause may open many slots
}

func (t *tokenCounts) grow(tracked int) {
	if len(t.tracked) == 0 {
		t.tracked = make([]counts, tracked)
	}
}

// move adds sign times o.
func (t *tokenCounts) move(o *tokenCounts, sign int64) {
	t.total += sign * o.total
	t.other.move(&o.other, sign)
	t.grow(len(o.tracked))
	for i := range o.tracked {
		if c := &o.tracked[i]; c.total != 0 || len(c.values) > 0 {
			t.tracked[i].move(c, sign)
		}
	}
}

// join moves what a reading reports of a token from other to the token (rule 2).
func (t *tokenCounts) join(i int, reported *counts) {
	t.tracked[i].move(reported, 1)
	t.other.move(reported, -1)
}

// leave moves the counts of a token to other, and reports whether there were any.
func (t *tokenCounts) leave(i int) bool {
	if len(t.tracked) == 0 || t.tracked[i].isZero() {
		return false
	}
	t.other.move(&t.tracked[i], 1)
	t.tracked[i].reset()
	return true
}

// clone returns a copy in as little memory as it needs.
func (t *tokenCounts) clone() *tokenCounts {
	n := len(t.other.values)
	for i := range t.tracked {
		n += len(t.tracked[i].values)
	}
	all := make([]valueCount, 0, n)
	copied := func(c *counts) counts {
		from := len(all)
		all = append(all, c.values...)
		return counts{total: c.total, values: all[from:len(all):len(all)]}
	}
	c := &tokenCounts{total: t.total, other: copied(&t.other), tracked: make([]counts, len(t.tracked))}
	for i := range t.tracked {
		c.tracked[i] = copied(&t.tracked[i])
	}
	return c
}
