package collector

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// reloading is three simulated ABSs, the collector that polls them while its targets change at
// random, and what a Prometheus would make of it.
type reloading struct {
	t    *testing.T
	rng  *rand.Rand
	dir  string // of the state
	sims [3]*simulator.Simulator
	*Collector
	exposed *metrics.Exposition
	health  *metrics.Health
	log     strings.Builder
	every   time.Duration // a scrape; 0: 15 seconds

	zones      [3]*time.Location // of the ABSs; nil: UTC
	configured map[int]Target    // by the index of the ABS
	names      [3]string         // as they are, or were last
	labels     [3]map[string]string
	store      store
}

// store follows the scrapes as a Prometheus does: by series, across gaps and resets.
type store struct {
	last     map[string]int64
	gained   map[string]int64 // by family and ABS
	scrapes  int
	seen     map[string]bool // in the last scrape
	byTarget map[string]int  // ABSs by the names of their targets, ever
}

// slowly makes each request last for a while.
type slowly struct {
	http.RoundTripper
	mu  sync.Mutex
	rng *rand.Rand
}

func (s *slowly) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	d := time.Duration(s.rng.IntN(1500)) * time.Millisecond
	s.mu.Unlock()
	select {
	case <-time.After(d):
		return s.RoundTripper.RoundTrip(r)
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

func newReloading(t *testing.T, seed uint64, dir string, traffic time.Duration) *reloading {
	t.Helper()
	r := &reloading{t: t, rng: rand.New(rand.NewPCG(seed, 1)), dir: dir, configured: map[int]Target{}}
	r.store = store{last: map[string]int64{}, gained: map[string]int64{}, byTarget: map[string]int{}}
	for i := range r.sims {
		r.sims[i] = simulator.New(simulator.Config{
			Seed: uint64(i + 1), Tokens: 8, Rate: 40, Delay: 4 * time.Minute, DelayMax: 25 * time.Minute, Now: time.Now,
			Begin: time.Now().Add(10 * time.Minute), End: time.Now().Add(traffic), AttackEvery: 30 * time.Minute, MaxTokenLen: 60,
		})
		r.names[i] = fmt.Sprint("abs-", i)
		r.configured[i] = r.target(i, r.names[i], r.options(), nil)
	}
	r.collect()
	return r
}

// collect makes the collector of what is configured.
func (r *reloading) collect() {
	r.t.Helper()
	registry := prometheus.NewRegistry()
	r.health = metrics.NewHealth(registry)
	r.exposed = metrics.NewExposition(registry, metrics.Options{})
	targets := []Target{r.configured[0], r.configured[1], r.configured[2]}
	var err error
	r.Collector, err = New(targets, Environment{
		Key: testKey, Health: r.health, Publisher: r.exposed, Clock: SystemClock{}, Log: slog.New(slog.NewTextHandler(&r.log, nil)),
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// options returns random ones.
func (r *reloading) options() Options {
	o := defaults()
	o.StateDir = r.dir
	o.Interval = []time.Duration{time.Minute, 2 * time.Minute, 3 * time.Minute}[r.rng.IntN(3)]
	o.Slot = []time.Duration{10 * time.Minute, 30 * time.Minute}[r.rng.IntN(2)]
	o.Window = []time.Duration{time.Hour, 3 * time.Hour}[r.rng.IntN(2)]
	o.Settle = time.Hour
	o.MaxTokens = 3 + r.rng.IntN(8)
	o.Expire = []time.Duration{time.Hour, 4 * time.Hour}[r.rng.IntN(2)]
	o.Dimensions = [][]counts.Dimension{{counts.API}, {counts.Method, counts.API}, counts.Dimensions()}[r.rng.IntN(3)]
	o.Forensics = r.rng.IntN(3) > 0
	o.ForensicsRate = 5
	return o
}

func (r *reloading) target(i int, name string, o Options, labels map[string]string) Target {
	r.t.Helper()
	url := fmt.Sprintf("http://abs-%d.test", i)
	client, err := abs.NewClient(abs.Config{
		URL: url, Keys: abs.StaticKeys("abs_ak", "abs_sk"), Rate: 1e6, Concurrency: 8, Now: time.Now, Location: r.zones[i],
		Transport: &slowly{RoundTripper: r.sims[i].Transport(), rng: rand.New(rand.NewPCG(r.rng.Uint64(), 2))},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.store.byTarget[name] = i
	return Target{
		Name: name, URL: url, Location: r.zones[i], Labels: metrics.NewOwnLabels(labels), Options: o,
		ABS: client, AttackReports: client, Forensics: true,
	}
}

// change applies one random change.
func (r *reloading) change() {
	r.t.Helper()
	i := r.rng.IntN(len(r.sims))
	was, ok := r.configured[i]
	labels := map[string]string{"env": fmt.Sprint(r.rng.IntN(3))}
	change, next := Change{}, was
	switch kind := r.rng.IntN(10); {
	case !ok:
		next = r.target(i, r.names[i], r.options(), r.labels[i])
		change.Add = []Target{next}
	case kind == 0:
		change.Remove = []string{was.Name}
		r.apply(change)
		delete(r.configured, i)
		return
	case kind == 1: // another name for the same ABS
		r.names[i] = fmt.Sprintf("abs-%d-%d", i, r.store.scrapes)
		next = r.target(i, r.names[i], was.Options, maps.Collect(was.Labels.All()))
		change.Remove, change.Add = []string{was.Name}, []Target{next}
	case kind == 2 && r.dir != "": // what cannot be done changes nothing
		r.refused(was)
		return
	case kind < 5:
		next = r.target(i, was.Name, was.Options, labels)
		change.Update = []Target{next}
	default:
		next = r.target(i, was.Name, r.options(), maps.Collect(was.Labels.All()))
		change.Update = []Target{next}
	}
	r.apply(change)
	r.configured[i], r.labels[i] = next, maps.Collect(next.Labels.All())
}

// refused applies a change of which one part fails.
func (r *reloading) refused(was Target) {
	r.t.Helper()
	path := statePath(r.dir, "damaged")
	if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
		r.t.Fatal(err)
	}
	err := r.Apply(Change{
		Remove: []string{was.Name},
		Add:    []Target{{Name: "fine", URL: "http://fine.test", ABS: was.ABS, Options: was.Options}, {Name: "damaged", ABS: was.ABS, Options: was.Options}},
	})
	if err == nil || !strings.Contains(err.Error(), filepath.Base(path)) {
		r.t.Errorf("a damaged state file: %v", err)
	}
}

// scrape enters what is exposed into the store.
func (r *reloading) scrape() {
	r.t.Helper()
	s := &r.store
	s.scrapes++
	seen := map[string]bool{}
	s.seen = seen
	for _, g := range r.exposed.Published() {
		if g.Family.Type != metrics.Counter {
			continue
		}
		for _, b := range g.Blocks {
			for _, sample := range b.Samples {
				id, labels := sample.Series.String(), maps.Collect(sample.Series.Labels())
				for name, value := range b.Labels.All() {
					id += name + "=" + value
				}
				if seen[id] {
					r.t.Fatalf("%s is there twice", id)
				}
				seen[id] = true
				family := fmt.Sprintf("%s of ABS %d", g.Family.Name, s.byTarget[labels["target"]])
				last, known := s.last[id]
				switch {
				case !known && sample.Value != 0:
					r.t.Fatalf("%s began at %d", id, sample.Value)
				case sample.Value < last:
					last = 0 // it began again
				}
				s.gained[family] += sample.Value - last
				s.last[id] = sample.Value
			}
		}
	}
}

// However often targets are added, removed, renamed, and changed in their settings and labels, in
// the middle of cycles: each request of each ABS is counted once, for whoever scrapes.
func TestReloadLosesNothing(t *testing.T) {
	changes := 200
	if testing.Short() {
		changes = 12
	}
	t.Run("with a state directory", func(t *testing.T) { reloadOften(t, changes, t.TempDir()) })
	t.Run("in memory", func(t *testing.T) { reloadOften(t, changes, "") })
}

func reloadOften(t *testing.T, changes int, dir string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newReloading(t, 7, dir, time.Duration(changes)*2*time.Minute)
		end := r.begin()
		var next time.Time
		r.until(time.Now().Add(20*time.Minute), &next)
		for range changes {
			r.until(time.Now().Add(time.Duration(r.rng.IntN(int(5*time.Minute)))), &next)
			r.change()
		}
		r.addAll() // and all are polled for long
		r.until(time.Now().Add(4*time.Hour), &next)
		end()
		r.compare()
		if t.Failed() {
			t.Log(r.log.String())
		}
	})
}

// begin runs the collector until the function that it returns is called.
func (r *reloading) begin() (end func()) {
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			r.t.Error(err)
		}
	}
}

// addAll adds the targets that were removed last.
func (r *reloading) addAll() {
	r.t.Helper()
	for i := range r.sims {
		if _, ok := r.configured[i]; !ok {
			target := r.target(i, r.names[i], r.options(), r.labels[i])
			r.apply(Change{Add: []Target{target}})
			r.configured[i] = target
		}
	}
}

func (r *reloading) apply(c Change) {
	r.t.Helper()
	if err := r.Apply(c); err != nil {
		r.t.Fatal(err)
	}
}

// until scrapes up to a time.
func (r *reloading) until(end time.Time, next *time.Time) {
	for {
		if next.IsZero() {
			*next = time.Now()
		}
		if next.After(end) {
			time.Sleep(time.Until(end))
			return
		}
		time.Sleep(time.Until(*next))
		synctest.Wait()
		r.scrape()
		*next = next.Add(cmp.Or(r.every, 15*time.Second))
	}
}

// compare compares what was scraped with the truth.
func (r *reloading) compare() {
	r.t.Helper()
	for i, sim := range r.sims {
		want := sim.Truth(time.Time{}, time.Now()).Requests
		for _, family := range []string{"abs_requests_total", "abs_token_requests_total", "abs_api_requests_total"} {
			if got := r.store.gained[fmt.Sprintf("%s of ABS %d", family, i)]; got != want {
				r.t.Errorf("%s of ABS %d: %d requests, want %d", family, i, got, want)
			}
		}
	}
	r.t.Logf("%d scrapes, %d series ever", r.store.scrapes, len(r.store.last))
}

// What a target has beside its counters follows it: the labels of its own are on its health too, a
// target that is removed or renamed leaves nothing, and others notice nothing.
func TestReloadAndTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReloading(t, 1, "", 10*time.Hour)
		end := r.begin()
		time.Sleep(time.Hour)
		r.exposes(`abs_up{target="abs-1"} 1`)
		o := r.options()
		renamed := r.target(1, "new", o, map[string]string{"env": "prod"})
		broken := r.target(2, "abs-2", o, nil)
		broken.ABS = nil // each of its cycles panics
		r.apply(Change{Remove: []string{"abs-0", "abs-1"}, Add: []Target{renamed}, Update: []Target{broken}})
		r.exposes(`!target="abs-0"`)
		time.Sleep(20 * time.Minute)
		r.exposes(
			`!target="abs-1"`, `!target="new"}`, `abs_up{target="new",env="prod"} 1`,
			`abs_requests_total{target="new",env="prod"} `,
			`abs_exporter_report_failures_total{reason="auth",report="admin",target="new",env="prod"} 0`,
		)
		if status := r.Status(); len(status) != 2 || status[0].Target != "new" || !status[0].Up || status[1].Target != "abs-2" || status[1].Up {
			t.Errorf("status: %+v", status)
		}
		r.apply(Change{Update: []Target{r.target(2, "abs-2", o, nil)}}) // it stopped after three panics
		time.Sleep(10 * time.Minute)
		r.exposes(`abs_up{target="abs-2"} 1`)
		if !r.Alive() {
			t.Error("a target that had stopped does not begin again")
		}
		end()
		if err := r.Apply(Change{Remove: []string{"new"}}); err == nil {
			t.Error("the targets of a collector that has ended can be changed")
		}
	})
}

// exposes looks for texts in a scrape; one that begins with ! must not be there.
func (r *reloading) exposes(want ...string) {
	r.t.Helper()
	synctest.Wait()
	text := strings.Join((&rig{exposed: r.exposed}).scrape(r.t), "\n")
	for _, w := range want {
		if unwanted := strings.TrimPrefix(w, "!"); strings.Contains(text, unwanted) == (unwanted != w) {
			r.t.Errorf("%s in\n%s", w, text)
		}
	}
}
