package test

import (
	"maps"
	"sync"
	"testing"

	"github.com/prometheus/prometheus/config"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// ABS gets the same requests, however often the exporter is scraped.
func TestScrapesNeverCallABS(t *testing.T) {
	t.Parallel()
	sim := simulator.New(simulator.Config{Tokens: 20, Rate: 600, Immediate: true})
	flags := startABS(t, sim, nil)
	// The next cycle is at the next midnight. Should that be during the test, it is noticed.
	e := startServe(t, nil, append(append(flags, keyFiles(t, "abs_ak", "abs_sk")...),
		"--collect.interval=24h", "--collect.slot=24h", "--collect.reread=24h", "--collect.window=24h",
		"--collect.max-backfill=48h", "--collect.lookback=1h", "--forensics.rate=100")...)
	cycles := func() float64 {
		n, _ := e.value(t, `abs_exporter_cycle_duration_seconds_count{target="test"}`)
		return n
	}
	until(t, "the first cycle is over", func() bool { return cycles() > 0 })
	begun, before := cycles(), sim.Stats().Calls
	if before["oauthtokens"] == 0 || before["forensics"] == 0 {
		t.Fatalf("the cycle made no request: %v", before)
	}

	var scrapes sync.WaitGroup
	for i := range 40 { // as many as --web.max-requests
		scrapes.Go(func() {
			formats := config.DefaultProtoFirstScrapeProtocols
			e.scrape(t, "metrics", config.ScrapeProtocolsHeaders[formats[i%len(formats)]])
			e.get(t, "")
		})
	}
	scrapes.Wait()

	if after := sim.Stats().Calls; !maps.Equal(before, after) && cycles() == begun {
		t.Errorf("ABS had %v requests before and %v after 40 scrapes", before, after)
	}
}
