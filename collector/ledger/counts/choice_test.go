package counts

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// A name that comes in every row is parsed once, and a flood of names holds no more than two
// generations of the memo.
func TestMemo(t *testing.T) {
	parsed := 0
	choices := Choices{}
	choices[Device] = Choice{
		Deny: regexp.MustCompile("^(?:denied.*)$"),
		Name: func(text string) string { parsed++; return strings.TrimSuffix(text, "!") },
	}
	table := NewTables(3, choices)[Device]
	var n NewValues
	n.Reset(table)
	for range 1000 {
		for _, name := range []string{"a", "a!", "denied", "denied!"} {
			i, chosen := n.Index(table, []byte(name), 1)
			if (i == 0) != strings.HasPrefix(name, "denied") || chosen != (i != 0) {
				t.Fatalf("%s has the index %d, chosen: %v", name, i, chosen)
			}
		}
	}
	if parsed != 4 || len(n.All) != 1 || n.All[0].N != 2000 {
		t.Errorf("parsed %d times; %+v", parsed, n.All)
	}
	if i, chosen := n.Index(table, []byte(metrics.Other), 1); i != 0 || !chosen {
		t.Error("what ABS's rows had no room for is denied")
	}
	if got := table.NotChosen(); !slices.Equal(got, []string{"denied", "denied!"}) {
		t.Errorf("not chosen were %v", got)
	}
	for i := range 10 * maxMemo {
		n.Index(table, []byte(fmt.Sprint("denied ", i)), 1)
	}
	n.Index(table, []byte(strings.Repeat("x", maxMemoName+1)), 1)
	if len(table.memo.recent) > maxMemo || len(table.memo.former) > maxMemo || len(table.NotChosen()) != 3 {
		t.Errorf("holds %d and %d names, returns %d", len(table.memo.recent), len(table.memo.former), len(table.NotChosen()))
	}
	for i := range 2 {
		table.Turn(time.Duration(i+1)*time.Hour, time.Hour)
	}
	if got := table.NotChosen(); len(got) > 0 {
		t.Errorf("not forgotten after two hours: %v", got)
	}
}
