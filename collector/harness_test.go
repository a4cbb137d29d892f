package collector

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/calls"
	"github.com/abs-exporter/abs-exporter/collector/findings/catalogue"
	"github.com/abs-exporter/abs-exporter/collector/fold"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

var testKey = tokenid.Key("0123456789abcdef-token-key")

// long marks a test that simulates days. The race detector has nothing to find in it, as the loop
// of a target is one goroutine, and takes ten times as long: make test runs it without.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("simulates days, or megabytes of reports")
	}
}

// handClock is moved by hand. Sleepers wait for their context.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

func (*handClock) Sleep(ctx context.Context, _ time.Duration) error {
	<-ctx.Done()
	return ctx.Err()
}

// readsAttackReports is the user agent of a rig that reads attack reports.
const readsAttackReports = "a rig that reads attack reports"

func withAttackReports(c *abs.Config, _ *Target) { c.UserAgent = readsAttackReports }

func restricted(c *abs.Config, t *Target) {
	c.User, c.Keys = abs.Restricted, abs.StaticKeys("abs_ak_ru", "abs_sk_ru")
	t.Forensics = false
}

// rig is one target whose cycles are run by hand.
type rig struct {
	*target
	loop     *loop
	clock    *handClock
	registry *prometheus.Registry
	exposed  *metrics.Exposition
	last     *metrics.Snapshot
	log      *strings.Builder
}

// Publish implements Publisher.
func (r *rig) Publish(target string, s *metrics.Snapshot) {
	r.last = s
	r.exposed.Publish(target, s)
}

func defaults() Options {
	types, err := catalogue.New(nil)
	if err != nil {
		panic(err)
	}
	families := counts.Choices{counts.Device: {Name: fold.Device}}
	return Options{
		Times: Times{
			Interval: 2 * time.Minute, Slot: 30 * time.Minute, Reread: 10 * time.Minute, Settle: 2 * time.Hour,
			Window: 3 * time.Hour, MaxBackfill: 24 * time.Hour,
		},
		Series:    Series{MaxTokens: 1000, MaxValues: 100, Choices: families, Dimensions: []counts.Dimension{counts.Method, counts.API, counts.Device}, Expire: 2 * time.Hour},
		Forensics: true, ForensicsRate: 1e6, Catalogue: types, LogEvents: true,
	}
}

// newRig starts a target at the clock's time, against an ABS behind transport.
func newRig(o Options, location *time.Location, end abs.WindowEnd, responseCap int64, clock *handClock, transport http.RoundTripper, change ...func(*abs.Config, *Target)) (*rig, error) {
	config := abs.Config{
		URL: "http://abs.test", Keys: abs.StaticKeys("abs_ak", "abs_sk"), Location: location, WindowEnd: end,
		Rate: 1e6, Concurrency: 8, ResponseCap: responseCap, Transport: transport, Now: clock.Now, URLs: fold.Path,
	}
	t := Target{Name: "t", Location: location, Inclusive: end == abs.Inclusive, Forensics: true, ResponseCap: responseCap}
	for _, c := range change {
		c(&config, &t)
	}
	registry := prometheus.NewRegistry()
	health := metrics.NewHealth(registry)
	if config.Observe == nil {
		config.Observe = calls.Observe(health, t.Name, clock.Now, slog.New(slog.DiscardHandler))
	}
	client, err := abs.NewClient(config)
	if err != nil {
		return nil, err
	}
	t.ABS = client
	if config.UserAgent == readsAttackReports {
		t.AttackReports = client
	}
	if o.AdminInterval > 0 {
		t.Admin = client
	}
	r := &rig{clock: clock, registry: registry, log: &strings.Builder{}}
	r.exposed = metrics.NewExposition(r.registry, metrics.Options{})
	t.Options = o
	r.loop, err = newLoop(t, Environment{
		Key: testKey, Health: health, Publisher: r, Clock: clock, Log: slog.New(slog.NewTextHandler(r.log, nil)),
	}, &[]orphan{})
	if err != nil {
		return nil, err
	}
	r.target = r.loop.target
	r.open()
	return r, nil
}

// cycle runs one cycle at an instant.
func (r *rig) cycle(at time.Time) {
	r.clock.set(at)
	r.runCycle(context.Background())
}

// scrape is what /metrics shows of the exporter's own families.
func (r *rig) scrape(t testing.TB) []string {
	t.Helper()
	w := httptest.NewRecorder()
	r.exposed.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("scrape: %v, status %d", err, w.Code)
	}
	var lines []string
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, "abs_") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// books follow the published snapshots from outside: no series may fall while it lives, and what it
// had when it ended stays counted.
type books struct {
	live  map[string]metrics.Sample // by the series' text
	ended map[string]int64          // by family: what ended series had
}

func newBooks() *books { return &books{map[string]metrics.Sample{}, map[string]int64{}} }

func (b *books) enter(s *metrics.Snapshot) error {
	live := map[string]metrics.Sample{}
	for _, block := range s.Blocks {
		if block.Family.Type != metrics.Counter {
			continue
		}
		for _, sample := range block.Samples {
			text := sample.Series.String()
			if _, twice := live[text]; twice {
				return fmt.Errorf("%s is there twice", text)
			}
			live[text] = sample
			before, ok := b.live[text]
			switch {
			case !ok && sample.Value != 0:
				return fmt.Errorf("%s did not start at 0 but at %d", text, sample.Value)
			case ok && before.Series.Created().Equal(sample.Series.Created()) && sample.Value < before.Value:
				return fmt.Errorf("%s fell from %d to %d", text, before.Value, sample.Value)
			case ok && !before.Series.Created().Equal(sample.Series.Created()):
				if sample.Value != 0 {
					return fmt.Errorf("%s started again at %d", text, sample.Value)
				}
				b.ended[block.Family.Name] += before.Value
			}
		}
	}
	for text, before := range b.live {
		if _, ok := live[text]; !ok {
			b.ended[before.Series.Family().Name] += before.Value
		}
	}
	b.live = live
	return nil
}

// sum adds up a family: its live series, and what ended ones had.
func (b *books) sum(f *metrics.Family) int64 {
	n := b.ended[f.Name]
	for _, sample := range b.live {
		if sample.Series.Family() == f {
			n += sample.Value
		}
	}
	return n
}

// value is that of the series with these label values after target.
func (b *books) value(f *metrics.Family, values ...string) int64 {
	s := metrics.NewSeries(f, time.Time{}, append([]string{"t"}, values...)...)
	return b.live[s.String()].Value
}
