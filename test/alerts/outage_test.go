package alerts

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/collector/calls"
	"github.com/abs-exporter/abs-exporter/collector/findings/catalogue"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/metrics"
	"github.com/abs-exporter/abs-exporter/test/promtest"
)

const (
	outageBegin = 26 * time.Hour // after the exporter's: ABSAPITrafficHigh needs a day of samples
	outageAfter = 6 * time.Hour
	backlogTime = time.Hour
)

// firing is when an alert is to fire in an outage.
type firing struct {
	alert       string
	from, until time.Duration // after the outage's beginning, and after its end
	shortest    time.Duration // outage in which it fires
}

// of returns what is to fire in an outage of a length.
func (f firing) of(length time.Duration) bool { return length >= f.shortest }

// In an outage the alerts fire that the runbook of this situation names, and no others; none does
// in the day before. They end with the outage: nothing fires for the backlog.
func TestAlertsOfAnOutage(t *testing.T) {
	if testing.Short() {
		t.Skip("simulates days")
	}
	t.Parallel()
	for _, situation := range []struct {
		kind, runbook string
		firings       []firing
	}{
		{simulator.FaultDown, "ABSUnreachable.md", []firing{ // Alertmanager inhibits all but the first
			{"ABSUnreachable", 30 * time.Minute, 10 * time.Minute, 0},
			{"ABSReportStale", 34 * time.Minute, 0, 0},
			{"ABSForensicsBehind", 4*time.Hour + 45*time.Minute, 0, 6 * time.Hour},
		}},
		{simulator.FaultStandstill, "ABSNoNewRequests.md", []firing{
			{"ABSNoNewRequests", 2*time.Hour + 11*time.Minute, 25 * time.Minute, 3 * time.Hour},
		}},
	} {
		runbook, err := os.ReadFile(glob(t, "docs", "runbooks", situation.runbook)[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range situation.firings {
			if !strings.Contains(string(runbook), f.alert) {
				t.Errorf("%s does not name %s", situation.runbook, f.alert)
			}
		}
		for _, hours := range []time.Duration{1, 3, 6, 16} {
			t.Run(fmt.Sprint(situation.kind, " ", int(hours), " h"), func(t *testing.T) {
				t.Parallel()
				compute(t)
				begin, end, fired := runOutage(t, situation.kind, hours*time.Hour)
				checkFired(t, situation.firings, hours*time.Hour, begin, end, fired)
			})
		}
	}
}

// checkFired checks that exactly the firings of an outage were there, each once, and when. The
// rules are evaluated each five minutes for most of the time, and ABS works in batches of ten.
func checkFired(t *testing.T, want []firing, length time.Duration, begin, end time.Time, fired []promtest.Firing) {
	t.Helper()
	near := func(at, wanted time.Time, within time.Duration) bool { return at.Sub(wanted).Abs() <= within }
	unexpected := map[string]int{}
	for _, f := range fired {
		if !slices.Contains(alwaysFires, f.Alert) {
			unexpected[f.Alert]++
		}
	}
	for _, w := range want {
		if !w.of(length) {
			continue
		}
		unexpected[w.alert]--
		i := slices.IndexFunc(fired, func(f promtest.Firing) bool { return f.Alert == w.alert })
		if i < 0 {
			continue
		}
		if f := fired[i]; !near(f.From, begin.Add(w.from), 5*time.Minute) || !near(f.To, end.Add(w.until), 7*time.Minute) {
			t.Errorf("%s fires from %v to %v after the end, want %v and %v", w.alert, f.From.Sub(begin), f.To.Sub(end), w.from, w.until)
		}
	}
	for alert, n := range unexpected {
		if n != 0 {
			t.Errorf("%s fired %+d times more than it should: %v", alert, n, fired)
		}
	}
}

// scraped is a page as it was at a time.
type scraped struct {
	at   time.Time
	page []byte
}

// runOutage runs an exporter on an ABS with an outage, in virtual time, and a Prometheus with our
// rules that scrapes it each minute. It returns when the outage was and what fired.
func runOutage(t *testing.T, kind string, length time.Duration) (from, to time.Time, fired []promtest.Firing) {
	t.Helper()
	prometheus := promtest.Open(t)
	rules := prometheus.Rules(time.Minute, []string{"abs-exporter-settings"}, glob(t, "alerts", "*.rules.yml")...)
	// Prometheus is outside of the bubble: only the exporter's time is virtual.
	pages := make(chan scraped)
	var group sync.WaitGroup
	group.Go(func() {
		for p := range pages {
			prometheus.Ingest(p.at, p.page)
			// Each minute where something may change, else as often as the traffic is recorded; the day
			// before, which is only to have no alert, at each third of these times.
			near := p.at.Sub(from).Abs() < 40*time.Minute || p.at.Sub(to).Abs() < 40*time.Minute
			if m := p.at.Minute(); near || m%15 == 0 || m%5 == 0 && p.at.After(from) {
				rules.Eval(p.at)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		defer close(pages)
		begin := time.Now()
		from, to = begin.Add(outageBegin), begin.Add(outageBegin+length)
		sim := simulator.New(simulator.Config{
			Seed: 12, Tokens: 12, Rate: 600, Begin: begin.Add(-24 * time.Hour), Now: time.Now, Delay: 10 * time.Minute, DelayMax: 30 * time.Minute,
		})
		fault := simulator.Fault{Kind: kind, From: from, To: to, Delay: backlogTime}
		if err := sim.SetFaults(fault); err != nil {
			t.Fatal(err)
		}
		registry := metrics.NewRegistry(metrics.Build{})
		health, page := metrics.NewHealth(registry), metrics.NewExposition(registry, metrics.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), outageBegin+length+outageAfter)
		defer cancel()
		var scrapes sync.WaitGroup
		scrapes.Go(func() { scrape(ctx, page, pages) })
		if err := newCollector(t, sim, health, page).Run(ctx); err != nil {
			t.Error(err)
		}
		scrapes.Wait()
	})
	group.Wait()
	return from, to, rules.Fired()
}

func newCollector(t *testing.T, sim *simulator.Simulator, health *metrics.Health, page *metrics.Exposition) *collector.Collector {
	t.Helper()
	client, err := abs.NewClient(abs.Config{
		URL: "http://abs.test", Keys: abs.StaticKeys("abs_ak", "abs_sk"), Location: time.UTC, Rate: 20, Concurrency: 8,
		Transport: sim.Transport(), Observe: calls.Observe(health, "prod", time.Now, slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		t.Fatal(err)
	}
	types, err := catalogue.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	options := collector.Options{
		Times: collector.Times{
			Interval: 2 * time.Minute, Slot: 30 * time.Minute, Reread: 10 * time.Minute, Settle: 2 * time.Hour,
			Window: 3 * time.Hour, MaxBackfill: 24 * time.Hour,
		},
		Series: collector.Series{
			MaxTokens: 1000, MaxValues: 100, Expire: 2 * time.Hour, Dimensions: []counts.Dimension{counts.Method, counts.API, counts.Device},
		},
		Forensics: true, ForensicsRate: 10, Catalogue: types, Audit: 24 * time.Hour,
	}
	c, err := collector.New([]collector.Target{{Name: "prod", Location: time.UTC, ABS: client, Forensics: true, AttackReports: client, Options: options}}, collector.Environment{
		Key: []byte("0123456789abcdef-token-key"), Health: health, Publisher: page, Clock: collector.SystemClock{},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// scrape scrapes the page each minute until ctx ends.
func scrape(ctx context.Context, page http.Handler, pages chan<- scraped) {
	ticks := time.NewTicker(time.Minute)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-ticks.C:
			w := httptest.NewRecorder()
			page.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/metrics", nil))
			w.Body.WriteString("up{job=\"abs-exporter\"} 1\n")
			pages <- scraped{at, w.Body.Bytes()}
		}
	}
}
