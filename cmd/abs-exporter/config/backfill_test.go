package config

import (
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/configfile"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
)

// Where the history and the live counters do not meet, the log says what follows.
func TestSeam(t *testing.T) {
	began := time.Date(2026, 11, 23, 9, 0, 40, 0, time.UTC)
	from := func(lookback time.Duration) ledger.Start {
		return ledger.Start{From: began.Add(-lookback).Truncate(time.Minute), Began: began}
	}
	for name, tc := range map[string]struct {
		start ledger.Start
		to    time.Time
		says  string // "": nothing
	}{
		"they meet":         {from(2 * time.Hour), time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC), ""},
		"a longer lookback": {from(5 * time.Hour), time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC), ""},
		"no state":          {ledger.Start{}, began, "--state.dir there is no state of target t: whether the live counters begin where the history ends is not known: serve needs a --collect.lookback to 2026-11-23T09:00Z"},
		"a gap":             {from(2 * time.Hour), time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC), "--to lies before 2026-11-23T07:00Z, where the live counters of target t begin: the requests in between are in neither"},
		"no lookback": {
			from(0), time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC),
			"--collect.lookback was 0s when the counters of target t began, which is less than --collect.settle (2h0m0s): " +
				"requests of before 2026-11-23T09:00Z that ABS reported after 2026-11-23T09:00Z are in the live counters, and in the history again",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := &Backfill{}
			v := &validation{origins: origins{file: &configfile.File{}}}
			b.seam(v, &Target{ABS: ABS{Name: "t"}, Collect: Collect{Settle: 2 * time.Hour}}, tc.to, tc.start)
			var all []string
			for _, w := range v.warnings {
				all = append(all, w.Setting+" "+w.Detail+": "+w.Consequence)
			}
			if got := strings.Join(all, "\n"); got != tc.says {
				t.Errorf("%s\nwant\n%s", got, tc.says)
			}
		})
	}
}
