package churn

import (
	"context"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
	"github.com/abs-exporter/abs-exporter/test/promtest"
)

// The churn: tokens live for an hour, and each hour has 10,000 new ones, of which 1,000 can be
// tracked. A few are a hundred times as busy as most.
const (
	tokens    = 10_000
	tokenLife = time.Hour
	tracked   = 1000
	length    = 30 * time.Hour // longer than MaxBackfill
	settle    = time.Hour
	interval  = 5 * time.Minute
)

var begin = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

// steppingClock does not sleep, but scrapes as often as a Sleep would have lasted.
type steppingClock struct {
	mu     sync.Mutex
	now    time.Time
	end    time.Time
	scrape func(time.Time)
}

func (c *steppingClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

const scrapeEvery = 2 * time.Minute // two or three in a cycle

func (c *steppingClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	until := c.now.Add(d)
	for at := c.now.Truncate(scrapeEvery).Add(scrapeEvery); !at.After(until); at = at.Add(scrapeEvery) {
		c.scrape(at)
	}
	c.now = until
	if until.After(c.end) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

func TestChurn(t *testing.T) {
	clock := &steppingClock{now: begin, end: begin.Add(length + 2*settle + time.Hour)}
	sim := simulator.New(simulator.Config{
		Seed: 21, Tokens: tokens, TokenLife: tokenLife, Rate: 6, Begin: begin, End: begin.Add(length),
		Now: clock.Now, Delay: 10 * time.Minute, DelayMax: 40 * time.Minute, MaxTokenLen: 60, APIs: []string{"shop", "cards", "search"},
	})
	client, err := abs.NewClient(abs.Config{
		URL: "http://abs.test", Keys: abs.StaticKeys("abs_ak", "abs_sk"), Transport: sim.Transport(),
		Rate: 1e6, Concurrency: 8, ResponseCap: 1 << 40, Now: clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	exposition := metrics.NewExposition(prometheus.NewRegistry(), metrics.Options{})
	registry := prometheus.NewRegistry()
	stored := promtest.Open(t)
	clock.scrape = func(at time.Time) {
		w := httptest.NewRecorder()
		exposition.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
		page, err := io.ReadAll(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		stored.Ingest(at, page)
	}
	options := collector.Options{
		Times: collector.Times{
			Interval: interval, Slot: 30 * time.Minute, Reread: 20 * time.Minute, Settle: settle, Window: time.Hour,
			MaxBackfill: 24 * time.Hour,
		},
		Series: collector.Series{
			MaxTokens: tracked, MaxValues: 100, Dimensions: []counts.Dimension{counts.Method, counts.API, counts.Device}, Expire: 2 * time.Hour,
		},
	}
	c, err := collector.New([]collector.Target{{Name: "t", ABS: client, ResponseCap: 1 << 40, Options: options}}, collector.Environment{
		Key: tokenid.Key("0123456789abcdef"), Health: metrics.NewHealth(registry), Publisher: exposition,
		Clock: clock, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}

	truth := float64(sim.TruthRequests(begin, begin.Add(length)))
	total := stored.Increase("abs_requests_total").Sum()
	if total != truth {
		t.Errorf("abs_requests_total rose by %v, requested were %v", total, truth)
	}
	perToken := stored.Increase("abs_token_requests_total")
	if perToken.Sum() != truth {
		t.Errorf("abs_token_requests_total rose by %v over all tokens, requested were %v", perToken.Sum(), truth)
	}
	for _, dimension := range []string{"method", "api", "device"} {
		total := stored.Increase("abs_" + dimension + "_requests_total")
		if total.Sum() != truth {
			t.Errorf("%s: rose by %v, requested were %v", dimension, total.Sum(), truth)
		}
		if sum := stored.Increase("abs_token_" + dimension + "_requests_total").Sum(); sum != truth {
			t.Errorf("%s of tokens: rose by %v, requested were %v", dimension, sum, truth)
		}
	}
	series := stored.Samples("abs_token_requests_total")
	if live := most(series); live > tracked+1 {
		t.Errorf("%d tokens had series at once, want %d and _other", live, tracked)
	}
	for _, s := range series {
		if s.Falls() > 0 {
			t.Errorf("%s fell %d times", s.Labels, s.Falls())
		}
	}

	other := stored.Increase(`abs_token_requests_total{token="_other"}`).Sum() / truth
	ideal := 1 - idealShare(sim)
	t.Logf("%d requests of %d tokens in %v: _other keeps %.1f %%; the best choice of %d tokens for each half hour, made with hindsight, would leave it %.1f %%",
		int(truth), len(series)-1, length, 100*other, tracked, 100*ideal)
	// Tokens are chosen by half an hour of their hour of life, and stay tracked: that cannot be
	// ideal, but it must find most of the requests.
	if 1-other < 0.5*(1-ideal) {
		t.Errorf("the tracked tokens made %.1f %% of the requests, the best ones %.1f %%", 100*(1-other), 100*(1-ideal))
	}
}

// most returns how many series had a sample at once, at most.
func most(series []promtest.Series) int {
	at := map[int64]int{}
	for _, s := range series {
		for _, p := range s.Points {
			if !p.Stale {
				at[p.At.UnixMilli()]++
			}
		}
	}
	n := 0
	for _, live := range at {
		n = max(n, live)
	}
	return n
}

// idealShare returns the share of the requests that the busiest tokens of each half hour made, as
// many as can be tracked.
func idealShare(sim *simulator.Simulator) float64 {
	var best, all int64
	for at := begin; at.Before(begin.Add(length)); at = at.Add(30 * time.Minute) {
		var counts []int64
		for _, token := range sim.Truth(at, at.Add(30*time.Minute)).ByToken {
			counts = append(counts, token.Requests)
			all += token.Requests
		}
		slices.SortFunc(counts, func(a, b int64) int { return int(b - a) })
		for _, n := range counts[:min(tracked, len(counts))] {
			best += n
		}
	}
	return float64(best) / math.Max(1, float64(all))
}
