package counts

import "github.com/abs-exporter/abs-exporter/metrics"

// ValueTable holds the values of one label: the first ones that came, never released (rule 6).
// Index 0 is metrics.Other.
type ValueTable struct {
	Names   []string // by index
	limit   int      // without Other
	indexes map[string]uint32
}

// NewValueTable returns a table of at most limit values without Other, which may hold more names
// than that from the start.
func NewValueTable(limit int, names []string) *ValueTable {
	t := &ValueTable{limit: max(limit, len(names))}
	t.indexes = map[string]uint32{metrics.Other: 0}
	t.Names = []string{metrics.Other}
	for _, n := range names {
		t.Add(n)
	}
	t.limit = limit
	return t
}

// Tables holds the table of each dimension.
type Tables [NumDimensions]*ValueTable

// Name returns the name of a value.
func (t *Tables) Name(id ValueID) string { return t[id.Dimension()].Names[id.Index()] }

func (t *ValueTable) full() bool { return len(t.Names) > t.limit }

// Add returns the index of a value; a new one shares Other's once the table is full.
func (t *ValueTable) Add(name string) uint32 {
	if i, ok := t.indexes[name]; ok {
		return i
	}
	if t.full() {
		return 0
	}
	i := uint32(len(t.Names)) //nolint:gosec // bounded by limit
	t.Names = append(t.Names, name)
	t.indexes[name] = i
	return i
}

// NewValues are the values that a reading has and the table had not when it began. They get the
// table's next indexes for the time being.
type NewValues struct {
	First   uint32 // their first index
	Names   []string
	indexes map[string]uint32
}

// Reset empties n at the beginning of a reading.
func (n *NewValues) Reset(t *ValueTable) {
	n.First = uint32(len(t.Names)) //nolint:gosec // bounded by limit
	n.Names = n.Names[:0]
	clear(n.indexes)
}

// Index returns the index of a value, in the table or new; Other's once the table would be full.
func (n *NewValues) Index(t *ValueTable, name []byte) uint32 {
	if i, ok := t.indexes[string(name)]; ok {
		return i
	}
	if i, ok := n.indexes[string(name)]; ok {
		return i
	}
	i := n.First + uint32(len(n.Names)) //nolint:gosec // bounded by limit
	if int(i) > t.limit {
		return 0
	}
	if n.indexes == nil {
		n.indexes = map[string]uint32{}
	}
	n.Names = append(n.Names, string(name))
	n.indexes[n.Names[len(n.Names)-1]] = i
	return i
}
