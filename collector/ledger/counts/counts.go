package counts

import "slices"

// Counts is a number of requests and its split by the values of each dimension, in the order of
// their ids. Numbers may be negative where counts were moved (rule 2).
type Counts struct {
	Total  int64
	Values []ValueCount
}

// ValueCount is a number of requests of a value.
type ValueCount struct {
	ID ValueID
	N  int64
}

// maxKept is how many values Reset keeps memory for: more than a token has without a flood of them.
const maxKept = 1024

// Reset makes c zero and keeps its memory, unless that is unusually much.
func (c *Counts) Reset() {
	c.Total = 0
	if cap(c.Values) > maxKept {
		c.Values = nil
	}
	c.Values = c.Values[:0]
}

func (c *Counts) find(id ValueID) (int, bool) {
	return slices.BinarySearchFunc(c.Values, id, func(v ValueCount, id ValueID) int { return int(v.ID) - int(id) })
}

func compareIDs(a, b ValueCount) int { return int(a.ID) - int(b.ID) }

// Add adds n to a value, not to the total.
func (c *Counts) Add(id ValueID, n int64) {
	i, ok := c.find(id)
	if !ok {
		c.Values = slices.Insert(c.Values, i, ValueCount{ID: id})
	}
	c.Values[i].N += n
}

// Merge adds sign times values that are in order and each there once.
func (c *Counts) Merge(values []ValueCount, sign int64) {
	if len(c.Values) == 0 {
		c.Values = slices.Grow(c.Values, len(values))
		for _, v := range values {
			c.Values = append(c.Values, ValueCount{v.ID, sign * v.N})
		}
		return
	}
	i := 0
	for _, v := range values {
		for i < len(c.Values) && c.Values[i].ID < v.ID {
			i++
		}
		if i == len(c.Values) || c.Values[i].ID != v.ID {
			c.Values = slices.Insert(c.Values, i, ValueCount{ID: v.ID})
		}
		c.Values[i].N += sign * v.N
	}
}

// Move adds sign times o.
func (c *Counts) Move(o *Counts, sign int64) {
	c.Total += sign * o.Total
	if len(o.Values) < len(c.Values)/8 { // one token and all others: not worth a pass over these
		for _, v := range o.Values {
			c.Add(v.ID, sign*v.N)
		}
		return
	}
	c.Merge(o.Values, sign)
}

// IsZero reports whether all numbers are 0.
func (c *Counts) IsZero() bool {
	return c.Total == 0 && !slices.ContainsFunc(c.Values, func(v ValueCount) bool { return v.N != 0 })
}

// ByDimension returns the sum of the values of each dimension.
func (c *Counts) ByDimension() (sums [NumDimensions]int64) {
	for _, v := range c.Values {
		sums[v.ID.Dimension()] += v.N
	}
	return sums
}

// Drop removes the values of a dimension.
func (c *Counts) Drop(d Dimension) {
	from, _ := c.find(NewValueID(d, 0))
	to, _ := c.find(NewValueID(d+1, 0))
	c.Values = slices.Delete(c.Values, from, to)
}

// Has reports whether anything was ever added to a value, or moved to it or away.
func (c *Counts) Has(id ValueID) bool { _, ok := c.find(id); return ok }

// Of returns the number of a value.
func (c *Counts) Of(id ValueID) int64 {
	if i, ok := c.find(id); ok {
		return c.Values[i].N
	}
	return 0
}

// MoveValue moves n from a value to another one.
func (c *Counts) MoveValue(from, to ValueID, n int64) {
	c.Add(from, -n)
	c.Add(to, n)
}

// Leave moves what a value has to another one, and removes it.
func (c *Counts) Leave(id, to ValueID) {
	if i, ok := c.find(id); ok {
		n := c.Values[i].N
		c.Values = slices.Delete(c.Values, i, i+1)
		if n != 0 {
			c.Add(to, n)
		}
	}
}

// Sorted sorts values in place and adds up those of one id. Rows are short as a rule, and their
// values nearly in order.
func Sorted(values []ValueCount) []ValueCount {
	if len(values) > 256 && !slices.IsSortedFunc(values, compareIDs) {
		slices.SortFunc(values, compareIDs)
	}
	n := 0
	for _, v := range values {
		i := n
		for i > 0 && values[i-1].ID > v.ID {
			i--
		}
		if i > 0 && values[i-1].ID == v.ID {
			values[i-1].N += v.N
			continue
		}
		copy(values[i+1:n+1], values[i:n])
		values[i] = v
		n++
	}
	return values[:n]
}
