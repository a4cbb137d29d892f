package counts

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// An index that changes hands means to a reading what it meant when the reading began.
func TestIndexesOfReadingsUnderWay(t *testing.T) {
	tables := NewTables(2, Choices{})
	table := tables[Device]
	a := table.Add(NewValue{Name: "a"}, 0, 1)
	b := table.Add(NewValue{Name: "b"}, 0, 1)
	var early, late NewValues
	early.Reset(table)
	index := func(n *NewValues, name string) uint32 {
		i, _ := n.Index(table, []byte(name), 1)
		return i
	}
	if index(&early, "a") != a || index(&early, "b") != b {
		t.Fatal("a value of the table is new")
	}
	c, unknown := index(&early, "c"), index(&early, "d")
	table.Release(a)
	if got := table.Add(NewValue{Name: "c"}, 0, 2); got != a {
		t.Fatalf("a free index was not used again, but %d", got)
	}
	late.Reset(table)
	settled := early.Settle(table)
	for _, tt := range []struct {
		what      string
		got, want uint32
	}{
		{"what left", settled[a], 0}, {"what stayed", settled[b], b}, {"what came", settled[c], a}, {"what has no index", settled[unknown], 0},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: index %d, want %d", tt.what, tt.got, tt.want)
		}
	}
	if got := late.Settle(table); got != nil {
		t.Errorf("the indexes of a later reading are settled as %v", got)
	}
}

// Values are cut at 128 bytes, and ABS's reports are requested by their full names.
func TestLongValues(t *testing.T) {
	for _, tt := range []struct {
		name  string
		full  string
		label int
		asked bool
	}{
		{"as long as a label", strings.Repeat("a", 128), 128, true},
		{"longer", strings.Repeat("a", 129), 128, true},
		{"a character at the end", strings.Repeat("a", 127) + "ä", 127, true},
		{"a long character", strings.Repeat("a", 125) + "\U0001F600", 125, true},
		{"too long to be asked by", strings.Repeat("a", 1<<20), 128, false},
	} {
		table := NewTables(2, Choices{})[API]
		var n NewValues
		n.Reset(table)
		n.Index(table, []byte(tt.full), 1)
		table.Add(n.All[0], 0, 1)
		label := table.State()[0].Name
		if len(label) != tt.label || !utf8.ValidString(label) || len(label) > metrics.MaxLabelValue {
			t.Errorf("%s: the label has %d bytes, want %d", tt.name, len(label), tt.label)
		}
		if got := slices.Contains(table.Names(), tt.full); got != tt.asked {
			t.Errorf("%s: asked by its name: %v, want %v", tt.name, got, tt.asked)
		}
	}
}

// A reading keeps a bounded number of new values, however many there are.
func TestNewValuesAreBounded(t *testing.T) {
	table := NewTables(100, Choices{})[Device]
	var n NewValues
	n.Reset(table)
	for i := range 1_000_000 {
		if got, _ := n.Index(table, []byte(strings.Repeat("x", i%100)+string(rune('A'+i%50000))), 1); i > 500_000 && got == 0 {
			break
		}
	}
	if len(n.All) != maxNew+100 {
		t.Errorf("%d new values", len(n.All))
	}
}

// A state that contradicts itself is refused.
func TestRestoreTable(t *testing.T) {
	permanent := NewTables(5, Choices{})[Method].State()
	for _, tt := range []struct {
		name  string
		saved []Value
		want  error
	}{
		{"values with a gap", append(slices.Clone(permanent), Value{}, Value{Name: "a", Taken: true}), nil},
		{"a value twice", append(slices.Clone(permanent), Value{Name: "a", Taken: true}, Value{Name: "a", Taken: true}), ErrState},
		{"a permanent one twice", append(slices.Clone(permanent), Value{Name: "GET", Taken: true}), ErrState},
		{"Other", append(slices.Clone(permanent), Value{Name: metrics.Other, Taken: true}), ErrState},
		{"a value too long", append(slices.Clone(permanent), Value{Name: strings.Repeat("a", 129), Taken: true}), ErrState},
		{"a gap with a name", append(slices.Clone(permanent), Value{Name: "a"}), ErrState},
		{"another permanent value", []Value{{Name: "a", Taken: true}}, ErrState},
		{"too few", nil, ErrState},
	} {
		if err := NewTables(5, Choices{})[Method].Restore(tt.saved); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	tables := NewTables(5, Choices{})
	if err := tables[Method].Restore(append(slices.Clone(permanent), Value{}, Value{Name: "a", Taken: true})); err != nil {
		t.Fatal(err)
	}
	var s State
	s.Add(&Counts{Total: 1, Values: []ValueCount{{NewValueID(Method, uint32(1+len(permanent))), 1}}})
	if _, err := s.Decode(tables); !errors.Is(err, ErrState) {
		t.Errorf("counts of an index without a value: %v", err)
	}
}
