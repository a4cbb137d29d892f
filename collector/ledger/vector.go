package ledger

import "slices"

// Dimension is one way in which ABS splits the requests of a token.
type Dimension uint8

// The dimensions. IP has no total of its own; it is kept only where asked for.
const (
	Method Dimension = iota
	API
	Device
	IP
	dimensions = 4
)

// String is the name of the dimension: the label that it becomes.
func (d Dimension) String() string { return [dimensions]string{"method", "api", "device", "ip"}[d] }

// key names a value of a dimension: the dimension above, the place of the value in its
// table below.
type key uint32

const keyBits = 28

func keyOf(d Dimension, value uint32) key { return key(uint32(d)<<keyBits | value) }
func (k key) dimension() Dimension        { return Dimension(k >> keyBits) }
func (k key) value() uint32               { return uint32(k) & (1<<keyBits - 1) }

// cell is the requests of one value of one dimension.
type cell struct {
	k key
	n int64
}

// vector is a number of requests and how it splits. Numbers may be negative where
// counts were moved (rule 2). The cells are in the order of their keys.
type vector struct {
	total int64
	cells []cell
}

func (v *vector) reset() {
	v.total = 0
	v.cells = v.cells[:0]
}

func (v *vector) search(k key) (int, bool) {
	from, to := 0, len(v.cells)
	for from < to {
		middle := int(uint(from+to) >> 1)
		if v.cells[middle].k < k {
			from = middle + 1
		} else {
			to = middle
		}
	}
	return from, from < len(v.cells) && v.cells[from].k == k
}

func (v *vector) at(k key) int64 {
	if i, ok := v.search(k); ok {
		return v.cells[i].n
	}
	return 0
}

func (v *vector) add(k key, n int64) {
	i, ok := v.search(k)
	if !ok {
		v.cells = slices.Insert(v.cells, i, cell{k: k})
	}
	v.cells[i].n += n
}

// merge adds cells that are in order and each there once.
func (v *vector) merge(cells []cell, sign int64) {
	if len(v.cells) == 0 {
		v.cells = slices.Grow(v.cells, len(cells))
		for _, c := range cells {
			v.cells = append(v.cells, cell{c.k, sign * c.n})
		}
		return
	}
	i := 0
	for _, c := range cells {
		for i < len(v.cells) && v.cells[i].k < c.k {
			i++
		}
		if i == len(v.cells) || v.cells[i].k != c.k {
			v.cells = slices.Insert(v.cells, i, cell{k: c.k})
		}
		v.cells[i].n += sign * c.n
	}
}

// move adds sign times o.
func (v *vector) move(o *vector, sign int64) {
	v.total += sign * o.total
	if len(o.cells) < len(v.cells)/8 { // a token out of the rest: less than the rest is long
		for _, c := range o.cells {
			v.add(c.k, sign*c.n)
		}
		return
	}
	v.merge(o.cells, sign)
}

// inOrder sorts cells and adds up those of one key, in place. Rows are short, and their
// cells nearly in order.
func inOrder(cells []cell) []cell {
	n := 0
	for _, c := range cells {
		i := n
		for i > 0 && cells[i-1].k > c.k {
			i--
		}
		if i > 0 && cells[i-1].k == c.k {
			cells[i-1].n += c.n
			continue
		}
		copy(cells[i+1:n+1], cells[i:n])
		cells[i] = c
		n++
	}
	return cells[:n]
}

func (v *vector) set(o *vector) {
	v.total = o.total
	v.cells = append(v.cells[:0], o.cells...)
}

func (v *vector) isZero() bool {
	if v.total != 0 {
		return false
	}
	for _, c := range v.cells {
		if c.n != 0 {
			return false
		}
	}
	return true
}

// byDimension is the sum of the cells of each dimension.
func (v *vector) byDimension() (sums [dimensions]int64) {
	for _, c := range v.cells {
		sums[c.k.dimension()] += c.n
	}
	return sums
}
