package collector

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/catalogue"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// A finding that ended is exposed as 0 for one whole cycle, and then goes; one that begins again
// meanwhile is 1, and one that had no series gets none by its end.
func TestEndedFindingIsZeroForOneCycle(t *testing.T) {
	types, err := catalogue.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	const shown, beyond = tokenid.ID(1), tokenid.ID(2)
	for _, tc := range []struct {
		name string
		// ends and begins are the commits before which it does, counted from 0; each cycle has two.
		ends, begins int
		want         []int64 // the value by commit; -1: no series
	}{
		{"between cycles", 2, -1, []int64{1, 1, 0, 0, -1, -1, -1, -1}},
		{"within a cycle", 3, -1, []int64{1, 1, 1, 0, 0, 0, -1, -1}},
		{"begins again", 2, 3, []int64{1, 1, 0, 1, 1, 1, 1, 1}},
	} {
		a, g := newAttacks("shop", 1, 0, types), newGauges("shop")
		active := abs.Forensics{Attacks: 1, AttackTypes: []abs.Finding{{Type: "X", APIs: []string{"a"}}}}
		at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		answer := func(f abs.Forensics) {
			for _, id := range []tokenid.ID{shown, beyond} {
				a.answer(id, f, abs.Window{}, at, false)
			}
		}
		answer(active)
		var got []int64
		var cycle time.Time
		for commit := range len(tc.want) {
			at = at.Add(time.Minute)
			if commit%2 == 0 {
				cycle = at
			}
			if commit == tc.ends {
				answer(abs.Forensics{})
			}
			if commit == tc.begins {
				answer(active)
			}
			g.begin()
			value := int64(-1)
			for _, block := range a.stageGauges(g, at, cycle, time.Hour) {
				if block.Family != metrics.TokenAttackActive {
					continue
				}
				for _, s := range block.Samples {
					if values := fmt.Sprint(s.Series.Values()); values != fmt.Sprint([]string{"shop", shown.String(), "X", "a"}) || value != -1 {
						t.Errorf("%s, commit %d: %s", tc.name, commit, s.Series)
					}
					value = s.Value
				}
			}
			got = append(got, value)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
		if len(a.ended) != 0 {
			t.Errorf("%s: %d ended findings are kept", tc.name, len(a.ended))
		}
	}
}
