package crash

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/test/promtest"
	"github.com/abs-exporter/abs-exporter/test/tools"
)

// TestPrometheusAcrossKills has a Prometheus without any feature flag scrape an exporter that is
// killed and started again: the increase of the stored samples must equal what was requested. Such
// a Prometheus sees the first requests of a series only if it has scraped the series as 0 before,
// so time runs more slowly here: a cycle lasts for several scrapes. All kills follow when something
// was just counted and saved, before it can have been scraped, and most leave the exporter down for
// longer than a new series is served as 0.
func TestPrometheusAcrossKills(t *testing.T) {
	t.Parallel()
	const scrape = 100 * time.Millisecond
	s := &scenario{
		seed: *seedFlag, hours: 1.5, kills: 24, aims: []aim{afterCycle}, absence: 1, away: 4 * time.Minute, factor: 80, settle: 30 * time.Minute,
		abs:    late(12, 30, begin()),
		faults: []simulator.Fault{{Kind: simulator.FaultStatus, Probability: 0.2}},
	}
	s.abs.TokenLife, s.abs.Delay, s.abs.DelayMax = 30*time.Minute, 8*time.Minute, 20*time.Minute
	r := s.start(t)
	proxy := httptest.NewServer(r.exporter)
	t.Cleanup(proxy.Close)
	prom := promtest.Start(t, proxy.URL+"/metrics", scrape)
	r.run()

	truth := r.sim.Truth(r.begin, r.end)
	equal := func(what string, got map[string]float64, want map[string]int64) {
		t.Helper()
		counts := map[string]int64{}
		for k, v := range got {
			counts[k] = int64(v)
		}
		for _, k := range keys(counts, want) {
			if counts[k] != want[k] {
				t.Errorf("the increase of %s %q is %d, requested were %d", what, k, counts[k], want[k])
			}
		}
	}
	equal("abs_requests_total", prom.Increase(`abs_requests_total`).By(), map[string]int64{"": truth.Requests})
	equal("abs_token_requests_total", prom.Increase(`abs_token_requests_total`).By(), map[string]int64{"": truth.Requests})
	for label, want := range map[string]map[string]int64{"method": truth.ByMethod, "api": truth.ByAPI, "device": tools.Families(truth.ByDevice)} {
		for _, family := range []string{"abs_%s_requests_total", "abs_token_%s_requests_total"} {
			family = fmt.Sprintf(family, label)
			equal(family, prom.Increase(family).By(label), want)
		}
	}
	served := map[string]int64{}
	for token, n := range r.books.page().sum("abs_token_requests_total", "token") {
		served[token] = n
	}
	equal("abs_token_requests_total of token", prom.Increase(`abs_token_requests_total`).By("token"), served)
	for _, series := range prom.Samples(`{__name__=~"abs_.*_requests_total|abs_requests_total",__name__!~"abs_series_.*"}`) {
		if n := series.Falls(); n > 0 {
			t.Errorf("%s fell %d times", series.Labels, n)
		}
	}
}
