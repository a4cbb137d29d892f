package collector

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Families that are left out are on no page, and change nothing in the others.
func TestExcludedFamilies(t *testing.T) {
	var p published
	var err error
	if p.tokens, err = os.ReadFile("../abs/reports/testdata/oauthtokens.sample"); err != nil {
		t.Fatal(err)
	}
	if p.forensics, err = os.ReadFile("../abs/reports/testdata/forensics.sample"); err != nil {
		t.Fatal(err)
	}
	p.slot = "2026-11-23T10:30"
	excluded := []*metrics.Family{metrics.TokenAPIRequests, metrics.TokenWindowIPs, metrics.AttackTypeInfo, metrics.AttackDetections}
	lines := func(excluded []*metrics.Family) []string {
		start := time.Date(2026, 11, 23, 10, 20, 0, 0, time.UTC)
		o := defaults()
		o.Excluded = excluded
		r, err := newRig(o, time.UTC, abs.Exclusive, 0, &handClock{now: start}, &p)
		if err != nil {
			t.Fatal(err)
		}
		for at := start; at.Before(start.Add(20 * time.Minute)); at = at.Add(2 * time.Minute) {
			r.cycle(at)
		}
		return slices.DeleteFunc(r.scrape(t), func(line string) bool {
			return strings.HasPrefix(line, "abs_exporter_") || strings.HasPrefix(line, "go_") || strings.HasPrefix(line, "process_") || strings.HasPrefix(line, "promhttp_")
		})
	}
	all := lines(nil)
	want := slices.DeleteFunc(slices.Clone(all), func(line string) bool {
		return slices.ContainsFunc(excluded, func(f *metrics.Family) bool { return strings.HasPrefix(line, f.Name+"{") })
	})
	if got := lines(excluded); !slices.Equal(got, want) || len(want) > len(all)-10 {
		t.Errorf("%d of %d lines are served, want %d:\n%s", len(got), len(all), len(want), strings.Join(got, "\n"))
	}
}
