package counts

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// Choice is which values of a dimension get series of their own. The zero value chooses all, by the
// names that ABS has for them. What is not chosen is counted under metrics.Other.
type Choice struct {
	Limit       int            // of values; 0: that of all dimensions
	Allow, Deny *regexp.Regexp // of whole names; nil: all are allowed, none is denied
	// Name returns the name of a value, which may be that of several; nil: as ABS has it. A name that
	// it returned is its own.
	Name func(text string) string
}

// Choices are the choice of each dimension.
type Choices [NumDimensions]Choice

// String names what is chosen, for people to compare.
func (c *Choices) String() string {
	var all []string
	for _, d := range Dimensions() {
		if one := &c[d]; one.Limit != 0 || one.chooses() {
			all = append(all, fmt.Sprintf("%s: limit %d, allowed %v, denied %v, families %t", d, one.Limit, one.Allow, one.Deny, one.Name != nil))
		}
	}
	return "[" + strings.Join(all, "; ") + "]"
}

// chooses reports whether names depend on the choice.
func (c *Choice) chooses() bool { return c.Allow != nil || c.Deny != nil || c.Name != nil }

// Of returns the name that a value is counted under; ok is false where it is metrics.Other's by
// choice.
func (c *Choice) Of(full string) (name string, ok bool) {
	if c.Name != nil {
		full = c.Name(full)
	}
	if c.Allow != nil && !c.Allow.MatchString(full) || c.Deny != nil && c.Deny.MatchString(full) {
		return metrics.Other, false
	}
	return full, true
}

// A memo keeps what was chosen for so many names, of so many bytes together and each; twice as many
// at most.
const (
	maxMemo     = 32 << 10
	maxMemoText = 4 << 20
	maxMemoName = 512
)

// memo keeps what was chosen lately: the same names come in every row, and expressions and parsers
// are a hundred times slower than a map. It has two generations, so that it never holds more than
// twice maxMemo names, and forgets those that no longer come.
type memo struct {
	recent, former map[string][]byte // nil: not chosen
	text           int               // bytes of the names in recent
	turned         time.Duration     // the reading of the activity clock at the last turn by time
}

func (m *memo) turn() {
	m.recent, m.former, m.text = make(map[string][]byte, len(m.recent)), m.recent, 0
}

// of returns the name that a value is counted under; nil if it is not chosen.
func (m *memo) of(c *Choice, full []byte) []byte {
	if name, ok := m.recent[string(full)]; ok {
		return name
	}
	name, ok := m.former[string(full)]
	if !ok {
		if text, chosen := c.Of(string(full)); chosen {
			name = []byte(text)
		}
	}
	if len(full) > maxMemoName {
		return name
	}
	if len(m.recent) >= maxMemo || m.text >= maxMemoText {
		m.turn()
	}
	m.text += len(full) + len(name)
	m.recent[string(full)] = name
	return name
}

// Turn forgets the names that did not come since the last turn, once that is long ago by the
// activity clock.
func (t *ValueTable) Turn(clock, long time.Duration) {
	if clock-t.memo.turned >= long {
		t.memo.turn()
		t.memo.turned = clock
	}
}

// NotChosen returns the names that came lately and are counted under metrics.Other by choice, as
// many as the table may hold values.
func (t *ValueTable) NotChosen() []string {
	names := map[string]struct{}{}
	for _, generation := range []map[string][]byte{t.memo.recent, t.memo.former} {
		for full, name := range generation {
			if name == nil {
				names[full] = struct{}{}
			}
		}
	}
	all := slices.Sorted(maps.Keys(names))
	return all[:min(t.limit, len(all))]
}

// Unchosen returns the indexes of the values that the choice does not give a series, or another
// name: the settings have changed since they got their indexes.
func (t *ValueTable) Unchosen() []uint32 {
	var indexes []uint32
	for i := t.permanent; i < len(t.values); i++ {
		v := &t.values[i]
		full := v.Full
		if full == "" {
			full = v.Name
		}
		if name, ok := t.choice.Of(full); v.Taken && (!ok || name != full) {
			indexes = append(indexes, uint32(i)) //nolint:gosec // bounded by the limit
		}
	}
	return indexes
}
