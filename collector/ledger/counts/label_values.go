package counts

import (
	"cmp"
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// maxFull is the length in bytes up to which full names are kept: servers refuse the request lines
// of longer ones.
const maxFull = 2048

// Value is one value of a label. The zero value stands for an index that no value has.
type Value struct {
	Name   string // metrics.LabelValue of the full name
	Full   string // as ABS has it, if that is longer
	Lost   bool   // ... and so long that it is not kept
	Taken  bool
	Gained time.Duration // the reading of the activity clock at the last gain
	// Since is the number of the reading before which the value had no index.
	Since uint64
}

// ValueTable holds the values of one label (rule 6). Index 0 is metrics.Other; those that are
// permanent follow. Indexes of values that left are used again.
type ValueTable struct {
	values    []Value // by index
	permanent int     // indexes that are never released
	taken     int     // other indexes that are
	limit     int     // of these
	indexes   map[string]uint32
	released  []uint64 // by index: the number of releases when it was released last
	releases  uint64
	newest    uint64 // the highest Value.Since

	choice Choice
	memo   memo
}

// Tables holds the table of each dimension.
type Tables [NumDimensions]*ValueTable

// NewTables returns tables that each hold limit values at most, or as many as their choice says,
// without metrics.Other and those that are permanent: the eight methods of RFC 9110 and PATCH.
func NewTables(limit int, choices Choices) (t Tables) {
	for _, d := range Dimensions() {
		var permanent []string
		if d == Method {
			permanent = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}
		}
		t[d] = newValueTable(cmp.Or(choices[d].Limit, limit), permanent)
		t[d].choice = choices[d]
	}
	return t
}

func newValueTable(limit int, permanent []string) *ValueTable {
	t := &ValueTable{limit: limit, indexes: map[string]uint32{}, memo: memo{recent: map[string][]byte{}}}
	for _, name := range append([]string{metrics.Other}, permanent...) {
		t.append(Value{Name: name, Taken: true})
	}
	t.permanent, t.taken = len(t.values), 0
	return t
}

func (t *ValueTable) append(v Value) (index uint32) {
	index = uint32(len(t.values)) //nolint:gosec // bounded by the limit
	t.values = append(t.values, v)
	t.released = append(t.released, 0)
	if v.Taken {
		t.indexes[v.Name] = index
		t.taken++
	}
	return index
}

// State returns the values by index, without metrics.Other.
func (t *ValueTable) State() []Value { return slices.Clone(t.values[1:]) }

// Restore continues from a state, which may hold more values than the limit: then they leave, as
// others do, but none is added. It returns ErrState for one that no table can have.
func (t *ValueTable) Restore(saved []Value) error {
	if len(saved) < t.permanent-1 {
		return ErrState
	}
	for i := range saved {
		v := &saved[i]
		if i < t.permanent-1 {
			if v.Name != t.values[1+i].Name || !v.Taken {
				return ErrState
			}
			t.values[1+i] = *v
			continue
		}
		_, twice := t.indexes[v.Name]
		if v.Taken && (twice || len(v.Name) > metrics.MaxLabelValue) || !v.Taken && *v != (Value{}) || len(v.Full) > maxFull {
			return ErrState
		}
		t.append(*v)
		t.newest = max(t.newest, v.Since)
	}
	return nil
}

// Name returns the name of a value.
func (t *Tables) Name(id ValueID) string { return t[id.Dimension()].values[id.Index()].Name }

// Names returns the full names of the values without metrics.Other, in the order of their indexes;
// names that are too long for a request are left out.
func (t *ValueTable) Names() []string {
	names := make([]string, 0, t.taken)
	for i := range t.values[1:] {
		switch v := &t.values[1+i]; {
		case !v.Taken || v.Lost:
		case v.Full != "":
			names = append(names, v.Full)
		default:
			names = append(names, v.Name)
		}
	}
	return names
}

// Has reports whether a value has an index.
func (t *ValueTable) Has(name string) bool { _, ok := t.indexes[name]; return ok }

// Full reports whether no value can be added.
func (t *ValueTable) Full() bool { return t.taken >= t.limit }

// Add gives a value an index that no other has; the table must not be full. since is Value.Since.
func (t *ValueTable) Add(v NewValue, gained time.Duration, since uint64) (index uint32) {
	added := Value{Name: v.Name, Full: v.Full, Lost: v.Lost, Taken: true, Gained: gained, Since: since}
	t.newest = max(t.newest, since)
	for i := t.permanent; i < len(t.values) && t.permanent+t.taken < len(t.values); i++ {
		if !t.values[i].Taken {
			t.values[i] = added
			t.taken++
			index = uint32(i) //nolint:gosec // bounded by the limit
			t.indexes[v.Name] = index
			return index
		}
	}
	return t.append(added)
}

// Release takes the index of a value away. Nothing may have it any more, but for readings under
// way, which NewValues.Settle corrects.
func (t *ValueTable) Release(index uint32) {
	delete(t.indexes, t.values[index].Name)
	t.values[index] = Value{}
	t.taken--
	t.releases++
	t.released[index] = t.releases
}

// Gain records that a value gained requests.
func (t *ValueTable) Gain(index uint32, clock time.Duration) { t.values[index].Gained = clock }

// Since is the number of the reading before which a value had no index.
func (t *ValueTable) Since(index uint32) uint64 { return t.values[index].Since }

// Newest is the number of the last reading that added a value.
func (t *ValueTable) Newest() uint64 { return t.newest }

// Idle returns the indexes of the values that may be released and have gained nothing since a
// reading of the activity clock.
func (t *ValueTable) Idle(since time.Duration) []uint32 {
	var idle []uint32
	for i := t.permanent; i < len(t.values); i++ {
		if v := &t.values[i]; v.Taken && v.Gained <= since {
			idle = append(idle, uint32(i)) //nolint:gosec // bounded by the limit
		}
	}
	return idle
}

// Gained returns the reading of the activity clock when a value last gained requests.
func (t *ValueTable) Gained(index uint32) time.Duration { return t.values[index].Gained }

// maxNew is how many new values of a label a reading keeps apart, beside as many as the table
// holds. It is more than what the tables of a target without a flood ever have to choose from.
const maxNew = 1024

// NewValue is a value that a reading has and the table had not when it began.
type NewValue struct {
	Name, Full string // as in Value
	Lost       bool
	N          int64  // requests
	index      uint32 // for the time being
}

// NewValues are the new values of a reading. They have indexes past all of the table's, until
// Settle.
type NewValues struct {
	All      []NewValue
	first    uint32 // their first index
	releases uint64 // of the table, when the reading began
	indexes  map[string]uint32
}

// Reset empties n at the beginning of a reading.
func (n *NewValues) Reset(t *ValueTable) {
	n.first = uint32(max(len(t.values), t.permanent+t.limit)) //nolint:gosec // bounded by the limit
	n.releases = t.releases
	clear(n.All)
	n.All = n.All[:0]
	clear(n.indexes)
}

// First returns the first index of the new values: all of the table's are lower.
func (n *NewValues) First() uint32 { return n.first }

// Index returns the index of a value, in the table or new, and counts n requests of a new one. Past
// what a reading keeps apart it is that of metrics.Other, and so it is for what is not chosen.
func (n *NewValues) Index(t *ValueTable, full []byte, requests int64) (index uint32, chosen bool) {
	if t.choice.chooses() && string(full) != metrics.Other {
		if full = t.memo.of(&t.choice, full); full == nil {
			return 0, false
		}
	}
	name := metrics.LabelValue(full)
	if i, ok := t.indexes[string(name)]; ok {
		return i, true
	}
	if i, ok := n.indexes[string(name)]; ok {
		n.All[i-n.first].N += requests
		return i, true
	}
	if len(n.All) >= maxNew+t.limit {
		return 0, true
	}
	if n.indexes == nil {
		n.indexes = map[string]uint32{}
	}
	i := n.first + uint32(len(n.All)) //nolint:gosec // bounded by the limit
	v := NewValue{Name: string(name), N: requests, index: i}
	if v.Lost = len(full) > maxFull; !v.Lost && len(full) > len(name) {
		v.Full = string(full)
	}
	n.All = append(n.All, v)
	n.indexes[v.Name] = i
	return i, true
}

// Settle returns the table's index for each index that a reading used: metrics.Other's for the new
// values that the table has not, and for those that left it since the reading began. It returns nil
// where all stay as they are.
func (n *NewValues) Settle(t *ValueTable) []uint32 {
	if len(n.All) == 0 && n.releases == t.releases {
		return nil
	}
	settled := make([]uint32, int(n.first)+len(n.All))
	for i := range t.values {
		if i < int(n.first) && t.released[i] <= n.releases {
			settled[i] = uint32(i)
		}
	}
	for _, v := range n.All {
		settled[v.index] = t.indexes[v.Name] // 0 where there is none
	}
	return settled
}
