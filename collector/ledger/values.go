package ledger

// Other is the label value that shares what has no series of its own.
const Other = "_other"

// table holds the values of one label: first come, never released (rule 6). Place 0
// is Other.
type table struct {
	max   int
	names []string
	place map[string]uint32
}

func newTable(maxValues int, names []string) *table {
	t := &table{max: maxValues, names: []string{Other}, place: map[string]uint32{Other: 0}}
	for _, n := range names {
		if _, ok := t.place[n]; !ok {
			t.place[n] = uint32(len(t.names)) //nolint:gosec // bounded by max
			t.names = append(t.names, n)
		}
	}
	return t
}

// of is the place of a value; a new one gets the next place, or shares Other's when
// the table is full.
func (t *table) of(value []byte) uint32 {
	if p, ok := t.place[string(value)]; ok {
		return p
	}
	if len(t.names) > t.max {
		return 0
	}
	p := uint32(len(t.names)) //nolint:gosec // bounded by max
	name := string(value)
	t.names = append(t.names, name)
	t.place[name] = p
	return p
}

// forget gives up the places from n on: those that a reading took which failed after
// all, and so changes nothing.
func (t *table) forget(n int) {
	for _, name := range t.names[n:] {
		delete(t.place, name)
	}
	t.names = t.names[:n]
}
