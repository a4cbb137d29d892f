package test

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/metrics"
	"github.com/abs-exporter/abs-exporter/test/promtest"
	"github.com/abs-exporter/abs-exporter/test/tools"
)

// A Prometheus without any feature flag scrapes the demo from its start, while tokens appear and
// disappear and ABS reports requests late. Once the traffic has ended and all of it is reported,
// the increase that Prometheus has stored must equal what was really requested: in total, and by
// every label.
func TestPrometheusStoresTheTruth(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()

	const key = "the key of the token ids of a test"
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	// The traffic ends just before a batch of the simulated ABS does (batches are of full minutes),
	// so that there is nothing to wait for.
	begun := time.Now()
	ends := begun.Add(40 * time.Second).Truncate(time.Minute).Add(55 * time.Second)
	const lookback = 20 * time.Minute
	d := startDemo(t, "--series.token-key-file="+keyFile, "--collect.lookback="+lookback.String(),
		"--simulate.end="+ends.Sub(begun).String(), "--simulate.token-life=5m",
		"--simulate.delay=10s", "--simulate.delay-max=25s", "--series.max-values=1000")
	prom := promtest.Start(t, d.url+"metrics", time.Second)
	started := time.Now()

	from := countedFrom(t, d, begun.Add(-lookback), started.Add(-lookback))
	truth := func(at string) (totals simulator.Totals) {
		d.simulator(t, "/simulator/truth?"+url.Values{
			"from": {from.Format(time.RFC3339)}, "to": {ends.Add(time.Hour).Format(time.RFC3339)}, "at": {at},
		}.Encode(), &totals)
		return totals
	}
	prom.Until(ctx, "the traffic has ended and ABS has reported all of it", func() bool {
		now := time.Now()
		return now.After(ends.Add(5*time.Second)) && truth(now.Format(time.RFC3339)).Requests == truth("").Requests
	})
	// Each slot is read at least once more, and a series that such a reading creates has its time
	// as 0.
	cycles := func() float64 {
		n, _ := d.value(t, `abs_exporter_cycle_duration_seconds_count{target="demo"}`)
		return n
	}
	last := cycles() + 5
	prom.Until(ctx, "five more cycles are over", func() bool { return cycles() >= last })
	prom.Await(ctx, 2)

	want := truth("")
	if want.Requests < 1000 || len(want.ByToken) < 50 {
		t.Fatalf("too little traffic to test with: %d requests of %d tokens", want.Requests, len(want.ByToken))
	}
	// byToken sums one dimension of each token.
	byToken := func(of func(*simulator.TokenTotals) map[string]int64) map[string]int64 {
		sums := map[string]int64{}
		for token, totals := range want.ByToken {
			for value, n := range of(totals) {
				sums[promtest.Key(tools.TokenID(key, token), value)] += n
			}
		}
		return sums
	}
	tokens := map[string]int64{}
	for token, totals := range want.ByToken {
		tokens[tools.TokenID(key, token)] = totals.Requests
	}
	for _, tc := range []struct {
		metric string
		labels []string
		want   map[string]int64
	}{
		{"abs_requests_total", []string{"target"}, map[string]int64{"demo": want.Requests}},
		{"abs_method_requests_total", []string{"method"}, want.ByMethod},
		{"abs_api_requests_total", []string{"api"}, want.ByAPI},
		{"abs_device_requests_total", []string{"device"}, tools.Families(want.ByDevice)},
		{"abs_token_requests_total", []string{"token"}, tokens},
		{"abs_token_method_requests_total", []string{"token", "method"}, byToken(func(t *simulator.TokenTotals) map[string]int64 { return t.ByMethod })},
		{"abs_token_api_requests_total", []string{"token", "api"}, byToken(func(t *simulator.TokenTotals) map[string]int64 { return t.ByAPI })},
		{"abs_token_device_requests_total", []string{"token", "device"}, byToken(func(t *simulator.TokenTotals) map[string]int64 { return tools.Families(t.ByDevice) })},
		{"abs_token_ip_requests_total", []string{"token", "ip"}, byToken(func(t *simulator.TokenTotals) map[string]int64 { return t.ByIP })},
	} {
		if wrong := difference(prom.Increase(tc.metric).By(tc.labels...), tc.want); len(wrong) > 0 {
			t.Errorf("%s by %v: %d of %d values are wrong:\n%s", tc.metric, tc.labels, len(wrong), len(tc.want),
				strings.Join(wrong[:min(len(wrong), 10)], "\n"))
		}
	}
	for _, f := range metrics.Table() {
		if f.Type != metrics.Counter {
			continue
		}
		for _, s := range prom.Samples(f.Name) {
			if s.Falls() > 0 {
				t.Errorf("%s has fallen", s.Labels)
			}
		}
	}
	t.Logf("%d requests of %d tokens; it took %v", want.Requests, len(want.ByToken), time.Since(begun).Round(time.Second))
}

// countedFrom returns when counting begins: the look-back before the start of the first cycle, to
// the minute. Only the process knows the start, so it is read from the first request and must lie
// in the minutes in which the process can have started.
func countedFrom(t *testing.T, d *demo, earliest, latest time.Time) (from time.Time) {
	t.Helper()
	until(t, "ABS has a request", func() bool {
		var stats simulator.Stats
		d.simulator(t, "/simulator/stats", &stats)
		for _, call := range stats.Log["oauthtokens"] {
			at, err := time.Parse("2006-01-02T15:04", call.Earlier)
			if err != nil {
				t.Fatal(err)
			}
			if from.IsZero() || at.Before(from) {
				from = at
			}
		}
		return !from.IsZero()
	})
	if from.Before(earliest.Truncate(time.Minute)) || from.After(latest) {
		t.Fatalf("it counts from %v, the look-back begins between %v and %v", from, earliest, latest)
	}
	return from
}

// difference returns what differs, one line each. A series that stayed at 0 equals none.
func difference(got map[string]float64, want map[string]int64) (lines []string) {
	all := map[string]bool{}
	for key := range got {
		all[key] = true
	}
	for key := range want {
		all[key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if got[key] != float64(want[key]) {
			lines = append(lines, fmt.Sprintf("  %s: %v instead of %d", key, got[key], want[key]))
		}
	}
	return lines
}
