package ledger

import "github.com/abs-exporter/abs-exporter/metrics"

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

// Dimensions returns all dimensions.
func Dimensions() []Dimension { return []Dimension{Method, API, Device, IP} }

// String returns the name of the dimension, which is also that of its label.
func (d Dimension) String() string {
	return [dimensions]string{metrics.DimensionMethod, metrics.DimensionAPI, metrics.DimensionDevice, metrics.DimensionIP}[d]
}

// valueID is a value of a dimension: the dimension in the upper bits, below it the index of the
// value in the dimension's table.
type valueID uint32

const indexBits = 28

func newValueID(d Dimension, index uint32) valueID { return valueID(uint32(d)<<indexBits | index) }
func (v valueID) dimension() Dimension             { return Dimension(v >> indexBits) }
func (v valueID) index() uint32                    { return uint32(v) & (1<<indexBits - 1) }

// valueTable holds the values of one label: the first ones that came, never released (rule 6).
// Index 0 is metrics.Other.
type valueTable struct {
	limit   int // without Other
	names   []string
	indexes map[string]uint32
}

func newValueTable(limit int, names []string) *valueTable {
	t := &valueTable{limit: max(limit, len(names))}
	t.indexes = map[string]uint32{metrics.Other: 0}
	t.names = []string{metrics.Other}
	for _, n := range names {
		t.add(n)
	}
	t.limit = limit
	return t
}

func (t *valueTable) full() bool { return len(t.names) > t.limit }

// add returns the index of a value; a new one shares Other's once the table is full.
func (t *valueTable) add(name string) uint32 {
	if i, ok := t.indexes[name]; ok {
		return i
	}
	if t.full() {
		return 0
	}
	i := uint32(len(t.names)) //nolint:gosec // bounded by limit
	t.names = append(t.names, name)
	t.indexes[name] = i
	return i
}

// newValues are the values that a reading has and the table had not when it began. They get the
// table's next indexes for the time being.
type newValues struct {
	first   uint32 // index
	names   []string
	indexes map[string]uint32
}

func (n *newValues) reset(t *valueTable) {
	n.first = uint32(len(t.names)) //nolint:gosec // bounded by limit
	n.names = n.names[:0]
	clear(n.indexes)
}

// index returns the index of a value that is not in the table.
func (n *newValues) index(t *valueTable, name []byte) uint32 {
	if i, ok := n.indexes[string(name)]; ok {
		return i
	}
	i := n.first + uint32(len(n.names)) //nolint:gosec // bounded by limit
	if int(i) > t.limit {
		return 0
	}
	if n.indexes == nil {
		n.indexes = map[string]uint32{}
	}
	n.names = append(n.names, string(name))
	n.indexes[n.names[len(n.names)-1]] = i
	return i
}
