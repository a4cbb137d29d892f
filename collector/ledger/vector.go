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
	return slices.BinarySearchFunc(v.cells, k, func(c cell, k key) int { return int(c.k) - int(k) })
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

// move adds sign times o.
func (v *vector) move(o *vector, sign int64) {
	v.total += sign * o.total
	for _, c := range o.cells {
		v.add(c.k, sign*c.n)
	}
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
