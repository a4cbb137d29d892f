package history

import (
	"context"
	"encoding/json"
	"flag"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/collector/calls"
	"github.com/abs-exporter/abs-exporter/collector/findings/catalogue"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/metrics"
	"github.com/abs-exporter/abs-exporter/test/promtest"
	"github.com/abs-exporter/abs-exporter/test/tools"
)

// dir is an empty directory to write the history into, for make test-grafana and make pictures.
var dir = flag.String("history.dir", "", "where to write the blocks and history.json; empty: the test does not run, for it takes minutes")

// lastDay is how long the last part of the history is, in which cycles and scrapes are as frequent
// as they are by default.
const lastDay = 26 * time.Hour

// page is what a scrape shows.
type page struct {
	at   time.Time
	body []byte
}

// The history is complete: each deployment has its attacks, the campaign has all its tokens, and
// nobody knows of the silent deployment.
func TestHistory(t *testing.T) {
	if *dir == "" {
		t.Skip("no -history.dir")
	}
	stored := promtest.OpenIn(t, *dir, "job", "abs-exporter", "instance", "abs-exporter.example:10464")
	pages := make(chan page, 16)
	rules := stored.Rules(time.Minute, []string{"abs-exporter-settings"}, ruleFiles(t)...)
	var ingest sync.WaitGroup
	ingest.Go(func() {
		for p := range pages {
			stored.Ingest(p.at, p.body)
			if p.at.After(Now.Add(-lastDay)) {
				rules.Eval(p.at)
			}
		}
	})
	var facts Facts
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		defer close(pages)
		s, err := newScenario(time.Now)
		if err != nil {
			t.Fatal(err)
		}
		facts = s.facts
		time.Sleep(time.Until(s.facts.From))
		s.live(t, state, 10*time.Minute, 2*time.Minute, Now.Add(-lastDay), pages)
		s.live(t, state, 2*time.Minute, time.Minute, Now.Add(time.Second), pages)
	})
	ingest.Wait()

	for expr, want := range map[string]float64{
		`max(abs_attack_tokens{target="prod", attack_type="` + facts.Campaign.Type + `", api="payments"})`: float64(facts.Campaign.Tokens),
		`count(count by (severity) (abs_attack_type_info{target="prod"}))`:                                 4,
		`count(abs_up == 1)`: 2,
	} {
		if got := stored.Query(expr, Now); len(got) != 1 || got[0].F != want {
			t.Errorf("%s is %v, want %g", expr, got, want)
		}
	}
	spread := facts.Campaign.Begins.Add(4 * time.Hour)
	if got := stored.Query(`ALERTS{alertname="ABSAttackSpreading", alertstate="firing", target="prod"}`, spread); len(got) == 0 {
		t.Errorf("at %v nobody was paged for the campaign: %v", spread, stored.Query(`count by (alertname, alertstate) (ALERTS)`, spread))
	}
	if got := stored.Query(`abs_flagged_tokens{target="branch"}`, facts.Blind); len(got) > 0 {
		t.Errorf("the silent deployment still has %v", got)
	}
	text, err := json.Marshal(facts)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*dir, "history.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// ruleFiles returns the paths of the rules that are shipped.
func ruleFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(tools.Root(t), "alerts", "*.rules.yml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d rule files: %v", len(files), err)
	}
	return files
}

// live runs an exporter until a time, with the state that the one before has saved, and sends what
// each scrape shows.
func (s *scenario) live(t *testing.T, state string, interval, scrapes time.Duration, until time.Time, pages chan<- page) {
	t.Helper()
	registry := metrics.NewRegistry(metrics.Build{Version: "1.0.0", Revision: "0123456789ab", GoVersion: "go1.26"})
	health := metrics.NewHealth(registry)
	exposition := metrics.NewExposition(registry, metrics.Options{})
	types, err := catalogue.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	o := collector.Options{
		Times: collector.Times{
			Interval: interval, Slot: 30 * time.Minute, Reread: 10 * time.Minute, Settle: 2 * time.Hour, Window: 3 * time.Hour, MaxBackfill: 24 * time.Hour,
		},
		Series: collector.Series{
			MaxTokens: 1000, MaxValues: 100, Expire: 2 * time.Hour,
			Dimensions: []counts.Dimension{counts.Method, counts.API, counts.Device},
		},
		Forensics: true, ForensicsRate: 4, Catalogue: types, Audit: 24 * time.Hour, AdminInterval: min(5*interval, time.Hour), StateDir: state,
	}
	var targets []collector.Target
	for _, name := range s.facts.Targets {
		client, err := abs.NewClient(abs.Config{
			URL: "http://" + name + ".example", Keys: abs.StaticKeys("abs_ak", "abs_sk"), Location: time.UTC, Rate: 20, Concurrency: 8,
			Transport: s.sims[name].Transport(), Observe: calls.Observe(health, name, time.Now, log),
		})
		if err != nil {
			t.Fatal(err)
		}
		targets = append(targets, collector.Target{
			Name: name, URL: "http://" + name + ".example", Location: time.UTC, Options: o, ABS: client, Forensics: true, AttackReports: client, Admin: client,
		})
	}
	c, err := collector.New(targets, collector.Environment{Key: []byte(key), Health: health, Publisher: exposition, Clock: collector.SystemClock{}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithDeadline(t.Context(), until)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() {
		if err := c.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	for at := time.Now().Truncate(scrapes).Add(scrapes); at.Before(until); at = at.Add(scrapes) {
		time.Sleep(time.Until(at))
		w := httptest.NewRecorder()
		exposition.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
		w.Body.WriteString("up 1\nscrape_duration_seconds 0.012\nscrape_samples_scraped 2000\n")
		pages <- page{at, w.Body.Bytes()}
	}
	all.Wait()
}
