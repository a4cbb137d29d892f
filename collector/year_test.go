package collector

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
)

// yearDays is how long TestYear lasts; make year sets 365.
var yearDays = flag.Int("year.days", 31, "how many days of virtual time TestYear lasts")

const day = 24 * time.Hour

// Three ABSs in three zones, for a month or a year: tokens, APIs and attack types come and go,
// each ABS is down once a week and fails one call in fifty, settings and labels change, targets are
// renamed, removed and added again, and the clocks change. Each request is counted once, and what
// the process holds stays within bounds that do not depend on the time.
func TestYear(t *testing.T) {
	long(t)
	synctest.Test(t, func(t *testing.T) {
		r := newYear(t, time.Duration(*yearDays)*day)
		end := r.begin()
		var next time.Time
		begun := time.Now()
		for n := range *yearDays {
			r.until(begun.Add(time.Duration(n)*day+time.Duration(1+r.rng.IntN(9))*time.Hour), &next)
			r.reload(n)
			if n%5 == 4 { // away for less than --collect.max-backfill
				i := r.rng.IntN(len(r.sims))
				r.apply(Change{Remove: []string{r.configured[i].Name}})
				r.until(time.Now().Add(time.Duration(r.rng.IntN(10))*time.Hour), &next)
				r.apply(Change{Add: []Target{r.configured[i]}})
			}
			if n%30 == 29 || n == 6 || n == *yearDays-1 {
				r.until(begun.Add(time.Duration(n+1)*day), &next)
				r.holds(n + 1)
			}
		}
		r.until(begun.Add(time.Duration(*yearDays)*day+12*time.Hour), &next) // all is read again
		end()
		r.compare()
	})
}

// newYear makes what happens in that time.
func newYear(t *testing.T, length time.Duration) *reloading {
	t.Helper()
	r := &reloading{t: t, rng: rand.New(rand.NewPCG(365, 1)), configured: map[int]Target{}}
	r.store = store{last: map[string]int64{}, gained: map[string]int64{}, byTarget: map[string]int{}}
	begin := time.Now().Add(10 * time.Minute)
	for i, zone := range []string{"UTC", "Europe/Berlin", "America/New_York"} {
		var err error
		if r.zones[i], err = time.LoadLocation(zone); err != nil {
			t.Fatal(err)
		}
		r.sims[i] = simulator.New(simulator.Config{
			Seed: uint64(i + 1), Tokens: 20, TokenLife: 9 * time.Hour, Rate: 4, Begin: begin, End: time.Now().Add(length - time.Hour), Now: time.Now,
			Delay: 10 * time.Minute, DelayMax: 25 * time.Minute, AttackEvery: 7 * time.Hour, MaxTokenLen: 60, Location: r.zones[i], WallClock: i == 2, CallLog: 16,
		})
		faults := []simulator.Fault{
			{Kind: simulator.FaultReset, Probability: 0.01}, {Kind: simulator.FaultCut, Probability: 0.005}, {Kind: simulator.FaultStatus, Probability: 0.005},
		}
		for week := range int(length/day)/7 + 1 {
			at := begin.Add(time.Duration(week)*7*day + time.Duration(24+r.rng.IntN(120))*time.Hour)
			faults = append(faults, simulator.Fault{
				Kind: simulator.FaultDown, From: at, To: at.Add(time.Duration(1+r.rng.IntN(5)) * time.Hour), Delay: time.Hour,
			})
			for n := range 40 { // an API that nobody uses before or after
				r.sims[i].Add(simulator.Event{
					At: at.Add(time.Duration(n-60) * time.Minute), Token: fmt.Sprintf("token-%d-of-week-%d", n%3, week), N: int64(1 + n%4), IP: "203.0.113.9",
					Device: "LINUX", Method: "GET", API: fmt.Sprintf("api-of-week-%d", week), VisibleFrom: at.Add(time.Duration(n-40) * time.Minute),
				})
			}
			r.sims[i].AddAttack(simulator.Attack{
				Token: fmt.Sprintf("token-0-of-week-%d", week), Type: fmt.Sprintf("Type of week %d", week), APIs: []string{fmt.Sprintf("api-of-week-%d", week)},
				From: at.Add(-time.Hour), To: at,
			})
		}
		if err := r.sims[i].SetFaults(faults...); err != nil {
			t.Fatal(err)
		}
		r.names[i] = fmt.Sprint("abs-", i)
		r.configured[i] = r.target(i, r.names[i], yearOptions(r.rng), nil)
	}
	r.every = 5 * time.Minute
	r.collect()
	return r
}

func yearOptions(rng *rand.Rand) Options {
	o := defaults()
	o.Interval, o.Slot, o.Settle, o.Window, o.MaxBackfill = 15*time.Minute, 30*time.Minute, 2*time.Hour, 3*time.Hour, 24*time.Hour
	o.Reread = 30 * time.Minute
	o.MaxTokens, o.Expire = 30+rng.IntN(10), 2*time.Hour
	o.Dimensions = [][]counts.Dimension{{counts.API}, {counts.Method, counts.API}, counts.Dimensions()}[rng.IntN(3)]
	o.Forensics, o.ForensicsRate = true, 5
	return o
}

// reload changes settings, labels or the name of one target.
func (r *reloading) reload(n int) {
	r.t.Helper()
	i := r.rng.IntN(len(r.sims))
	was := r.configured[i]
	labels := map[string]string{"env": fmt.Sprint(r.rng.IntN(3))}
	change := Change{}
	if n%4 == 0 {
		r.configured[i] = r.target(i, fmt.Sprintf("abs-%d-%d", i, n), was.Options, labels)
		change.Remove, change.Add = []string{was.Name}, []Target{r.configured[i]}
	} else {
		r.configured[i] = r.target(i, was.Name, yearOptions(r.rng), labels)
		change.Update = []Target{r.configured[i]}
	}
	r.apply(change)
}

// holds compares what the process holds with bounds.
func (r *reloading) holds(days int) {
	r.t.Helper()
	synctest.Wait()
	series, state := 0, 0
	for _, g := range r.exposed.Published() {
		for _, b := range g.Blocks {
			series += len(b.Samples)
		}
	}
	for _, l := range r.all() {
		f := l.target.state
		file, err := encodeState(f.state(f.saved, l.target.ledger.State(), l.target.findings.State()))
		if err != nil {
			r.t.Fatal(err)
		}
		state += len(file)
	}
	r.log.Reset() // this and the next are the test's own
	maps.DeleteFunc(r.store.last, func(id string, _ int64) bool { return !r.store.seen[id] })
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	routines := runtime.NumGoroutine()
	r.t.Logf("day %d: %.1f MB of heap, %d series, %d bytes of state, %d goroutines, %d scrapes", days, float64(m.HeapAlloc)/1e6, series, state, routines, r.store.scrapes)
	if m.HeapAlloc > 70<<20 || series > 1500 || state > 100<<10 || routines > 15 {
		r.t.Errorf("day %d: more than it may hold", days)
	}
}
