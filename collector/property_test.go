package collector

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/collector/fold"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/metrics"
)

var runs = flag.Uint64("property.runs", 30, "how many runs of each property test; make properties sets 500")

// trial is one run: an ABS, what happens to it, and the settings of the exporter.
type trial struct {
	rng        *rand.Rand
	begin, end time.Time // of the traffic
	sim        *simulator.Simulator
	clock      *handClock
	options    Options
	location   *time.Location
	windowEnd  abs.WindowEnd
	cap        int64
	timeouts   int // in %
	restarts   bool
	moved      bool            // requests were moved from one token to another
	behind     bool            // nodes disagree
	outage     simulator.Fault // ABS works through nothing for a while; no kind: there is none
	text       string
}

// newTrial draws a trial with an outage of at most a length. Its settle time is long enough for the
// outage to be over by then, unless it is given.
func newTrial(seed uint64, dir string, longest, settle time.Duration) *trial {
	rng := rand.New(rand.NewPCG(seed, 2))
	pick := func(n ...int) int { return n[rng.IntN(len(n))] }
	t := &trial{rng: rng, clock: &handClock{}}
	t.begin = time.Date(2026, 3, 28, 20, 0, 0, 0, time.UTC).Add(time.Duration(rng.IntN(400)) * time.Minute)
	if rng.IntN(2) == 0 {
		t.begin = time.Date(2026, 10, 24, 18, 0, 0, 0, time.UTC).Add(time.Duration(rng.IntN(600)) * time.Minute)
	}
	zone := []string{"UTC", "UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Australia/Lord_Howe"}[rng.IntN(6)]
	t.location, _ = time.LoadLocation(zone)
	// A start in an hour's second pass counts from the end of that hour.
	for t.second(t.begin) {
		t.begin = t.begin.Add(30 * time.Minute)
	}
	t.end = t.begin.Add(time.Duration(30+rng.IntN(240)) * time.Minute)
	if rng.IntN(3) == 0 {
		t.windowEnd = abs.Inclusive
	}
	t.clock.now = t.begin
	config := simulator.Config{
		Seed: seed, Tokens: pick(1, 3, 12, 30), TokenLife: time.Duration(pick(0, 0, 20, 60)) * time.Minute,
		Rate: float64(pick(2, 10, 40)), Begin: t.begin, End: t.end,
		Location: t.location, WallClock: rng.IntN(2) == 0, InclusiveEnd: t.windowEnd == abs.Inclusive,
		Now: t.clock.Now, Delay: time.Duration(rng.IntN(15)) * time.Minute, DelayMax: time.Duration(15+rng.IntN(20)) * time.Minute,
		MaxTokenLen: 60, SplitRows: pick(0, 0, 2), CapKind: simulator.CapKind(pick(0, 1, 2, 3, 5)),
	}
	// An hour that comes twice cannot be cut, and may not fit.
	if rng.IntN(3) == 0 && !t.twice() {
		t.cap = int64(pick(12_000, 25_000)) // a minute's report must fit
		config.ResponseCap = t.cap
		config.Rate = min(config.Rate, 10)
	}
	t.sim = simulator.New(config)
	t.moved = rng.IntN(3) == 0
	for range pick(0, 20) {
		t.move()
	}
	failing := pick(0, 0, 30, 60)
	faults := []simulator.Fault{}
	for _, kind := range []string{"status", "cut", "abort", "html", "reset"} {
		// Not in the first cycle: what the start finds in slots that cannot be cut at its
		// minute is taken as read, and would be more.
		faults = append(faults, simulator.Fault{
			Kind: kind, Probability: float64(failing) / 500, From: t.begin.Add(time.Minute), To: t.end.Add(2 * time.Hour),
		})
	}
	if failing == 0 {
		faults = nil
	}
	behind := t.drawOutage(longest)
	t.behind = behind > 0
	if t.behind { // not in the first cycle either
		faults = slices.Insert(faults, 0, simulator.Fault{
			Kind: simulator.FaultBehind, Delay: behind, Probability: 1 / float64(pick(2, 3)), From: t.begin.Add(time.Minute),
		})
	}
	if t.outage.Kind != "" {
		faults = slices.Insert(faults, 0, t.outage)
	}
	if err := t.sim.SetFaults(faults...); err != nil {
		panic(err)
	}
	t.timeouts = pick(0, 0, 5, 20, 50)
	o := defaults()
	o.Interval = 4 * time.Minute
	o.Settle = cmp.Or(settle, time.Hour+behind+t.outage.To.Sub(t.outage.From))
	o.Forensics = false
	o.Audit = time.Duration(seed%2) * 2 * time.Hour
	o.MaxTokens = pick(0, 1, 5, 1000)
	o.MaxValues = pick(2, 100, 100)
	o.Dimensions = []counts.Dimension{counts.Method, counts.API, counts.Device, counts.IP, counts.URL}
	t.restarts = rng.IntN(2) == 0
	if t.restarts {
		o.StateDir = dir
	}
	t.options = o
	t.text = fmt.Sprintf("seed %d: %d tokens living %v, %v of traffic from %v, zone %s, wall clock %v, end %v, cap %d of kind %d, failing %d %%, timing out %d %%, moved %v, restarts %v, %d tracked, %d values, a node %v behind, outage %q with code %d from %v for %v, backlog in %v",
		seed, config.Tokens, config.TokenLife, t.end.Sub(t.begin), t.begin.Format(time.RFC3339), zone, config.WallClock,
		t.windowEnd, t.cap, config.CapKind, failing, t.timeouts, t.moved, t.restarts, o.MaxTokens, o.MaxValues, behind, t.outage.Kind, t.outage.Code,
		t.outage.From.Format(time.RFC3339), t.outage.To.Sub(t.outage.From), t.outage.Delay)
	return t
}

// drawOutage draws an outage of at most a length, or none, and how far a node is behind the others.
func (t *trial) drawOutage(longest time.Duration) (behind time.Duration) {
	minutes := func(n int) time.Duration { return time.Duration(t.rng.IntN(n)) * time.Minute }
	if t.rng.IntN(2) == 0 {
		behind = time.Minute + minutes(20)
	}
	kinds := []simulator.Fault{{}, {Kind: simulator.FaultStandstill}, {Kind: simulator.FaultDown}, {Kind: simulator.FaultDown, Code: http.StatusOK}}
	if t.outage = kinds[t.rng.IntN(len(kinds))]; t.outage.Kind != "" {
		t.outage.From = t.begin.Add(time.Minute + minutes(int(t.end.Sub(t.begin)/time.Minute)))
		t.outage.To = t.outage.From.Add(time.Minute + minutes(int(longest/time.Minute)))
		t.outage.Delay = minutes(61)
	}
	return behind
}

// second reports whether ABS's wall clock showed the time of an instant before.
func (t *trial) second(at time.Time) bool {
	shows := func(at time.Time) string { return at.In(t.location).Format(time.TimeOnly) }
	return shows(at) == shows(at.Add(-time.Hour)) || shows(at) == shows(at.Add(-30*time.Minute))
}

// twice reports whether an hour is repeated while there is traffic.
func (t *trial) twice() bool {
	for at := t.begin.Add(-30 * time.Minute); at.Before(t.end.Add(time.Hour)); at = at.Add(5 * time.Minute) {
		if t.second(at) {
			return true
		}
	}
	return false
}

// move adds requests that ABS reports under one token, and later perhaps under another.
func (t *trial) move() {
	at := t.begin.Add(time.Duration(t.rng.Int64N(int64(t.end.Sub(t.begin)))))
	e := simulator.Event{
		At: at, VisibleFrom: at.Add(time.Duration(t.rng.IntN(30)) * time.Minute),
		Token: fmt.Sprint("explicit-token-", t.rng.IntN(5)), API: "shop", N: 1 + t.rng.Int64N(9),
	}
	if t.moved {
		again := e
		again.Token = fmt.Sprint("explicit-token-", t.rng.IntN(5))
		again.VisibleFrom = e.VisibleFrom.Add(time.Duration(t.rng.IntN(30)) * time.Minute)
		e.VisibleUntil = again.VisibleFrom
		t.sim.Add(again)
	}
	t.sim.Add(e)
}

func (t *trial) start() (*rig, error) {
	return newRig(t.options, t.location, t.windowEnd, t.cap, t.clock, t)
}

// RoundTrip passes a call on to ABS, or lets it time out.
func (t *trial) RoundTrip(r *http.Request) (*http.Response, error) {
	now := t.clock.Now()
	if now.After(t.begin) && now.Before(t.end.Add(2*time.Hour)) && t.rng.IntN(100) < t.timeouts {
		return nil, os.ErrDeadlineExceeded
	}
	return t.sim.Transport().RoundTrip(r)
}

// last returns when all that was requested must have been counted.
func (t *trial) last() time.Time {
	last := t.end
	if back := t.outage.To.Add(t.outage.Delay); back.After(last) {
		last = back
	}
	return last.Add(t.options.Settle + t.options.Slot + 4*time.Hour)
}

func (t *trial) run() error {
	r, err := t.start()
	if err != nil {
		return err
	}
	b := newBooks()
	if err := b.enter(r.last); err != nil {
		return err
	}
	last := t.last()
	for at := t.begin; at.Before(last); at = at.Add(t.options.Interval) {
		r.cycle(at)
		if err := b.enter(r.last); err != nil {
			return fmt.Errorf("%v: %w", at.Format(time.RFC3339), err)
		}
		if at.Minute()%5 == 0 && !t.moved {
			if n, reported := b.value(metrics.Requests), t.sim.TruthVisible(t.begin, t.end, at).Requests; n > reported {
				return fmt.Errorf("%v: abs_requests_total is %d, when ABS reported %d", at.Format(time.RFC3339), n, reported)
			}
		}
		if !t.restarts {
			continue
		}
		if t.rng.IntN(20) == 0 { // the disk is full for a while, or is well again
			r.state.path = filepath.Join(t.options.StateDir, map[bool]string{true: "no/such/folder"}[t.rng.IntN(2) == 0], filepath.Base(r.state.path))
		}
		if t.rng.IntN(20) == 0 { // killed
			if r, err = t.start(); err != nil {
				return err
			}
			if err := b.enter(r.last); err != nil {
				return fmt.Errorf("%v, after a restart: %w", at.Format(time.RFC3339), err)
			}
		}
		if at.After(last.Add(-time.Hour)) {
			r.state.path = newStateFile(t.options.StateDir, Target{Name: "t"}, nil).path
			t.restarts = false
		}
	}
	return t.judge(b)
}

func (t *trial) judge(b *books) error {
	truth := t.sim.Truth(t.begin, t.end)
	if n := b.value(metrics.Requests); n != truth.Requests {
		return fmt.Errorf("abs_requests_total is %d, requested were %d", n, truth.Requests)
	}
	if n := b.value(metrics.MissedSlots); n > 0 {
		return fmt.Errorf("%d slots missed", n)
	}
	if err := t.judgeValues(b, truth); err != nil {
		return err
	}
	if t.options.MaxTokens == 0 {
		return nil
	}
	if n := b.sum(metrics.TokenRequests); n != truth.Requests {
		return fmt.Errorf("the increases of abs_token_requests_total add up to %d, requested were %d", n, truth.Requests)
	}
	return t.judgeTokens(b, truth)
}

// families adds up the requests of the devices of one family.
func families(byDevice map[string]int64) map[string]int64 {
	sums := map[string]int64{}
	for device, n := range byDevice {
		sums[fold.Device(device)] += n
	}
	return sums
}

// judgeValues compares the totals by method, API and device with the truth.
func (t *trial) judgeValues(b *books, truth simulator.Totals) error {
	if t.moved || t.options.MaxValues != 100 {
		return nil
	}
	// What joins with the reading of a node that is behind leaves too much under other, and the next
	// gain is shared out by it, as in the model.
	if t.behind && t.options.MaxTokens > 0 && b.value(metrics.TokenRequests, metrics.Other)+b.ended[metrics.TokenRequests.Name] > 0 {
		return nil
	}
	if got := b.sum(metrics.URLRequests); got != truth.Requests {
		return fmt.Errorf("the increases of %s add up to %d, requested were %d", metrics.URLRequests.Name, got, truth.Requests)
	}
	for f, want := range map[*metrics.Family]map[string]int64{
		metrics.MethodRequests: truth.ByMethod, metrics.APIRequests: truth.ByAPI, metrics.DeviceRequests: families(truth.ByDevice),
	} {
		all := int64(0)
		for value, n := range want {
			all += n
			// A value that left has a series of its own for what came after it returned (rule 6).
			if got := b.value(f, value); got > n || got < n && b.ended[f.Name] == 0 {
				return fmt.Errorf("%s of %q is %d, requested were %d", f.Name, value, got, n)
			}
		}
		if got := b.sum(f); got != all {
			return fmt.Errorf("the increases of %s add up to %d, requested were %d", f.Name, got, all)
		}
	}
	return nil
}

// judgeTokens compares the series of tokens with the totals, and with the truth where no token
// shared series.
func (t *trial) judgeTokens(b *books, truth simulator.Totals) error {
	if !t.moved {
		for token, total := range map[*metrics.Family]*metrics.Family{
			metrics.TokenMethodRequests: metrics.MethodRequests,
			metrics.TokenAPIRequests:    metrics.APIRequests, metrics.TokenDeviceRequests: metrics.DeviceRequests,
			metrics.TokenURLRequests: metrics.URLRequests,
		} {
			if b.sum(token) != b.sum(total) {
				return fmt.Errorf("%s adds up to %d, %s to %d", token.Name, b.sum(token), total.Name, b.sum(total))
			}
		}
	}
	if b.value(metrics.TokenRequests, "_other") > 0 || t.moved || len(b.ended) > 0 {
		return nil
	}
	for token, want := range truth.ByToken {
		id := testKey.ID([]byte(token)).String()
		if got := b.value(metrics.TokenRequests, id); got != want.Requests {
			return fmt.Errorf("token %s was counted %d times, requested were %d", id, got, want.Requests)
		}
		for method, n := range want.ByMethod {
			if got := b.value(metrics.TokenMethodRequests, id, method); got != n && t.options.MaxValues == 100 {
				return fmt.Errorf("token %s, method %s: counted %d, requested were %d", id, method, got, n)
			}
		}
	}
	return nil
}

// TestEachRequestOnce drives the whole collector against the simulated ABS and holds what it
// publishes against what was requested: with late and failing reports, tokens that come and go,
// answers past ABS's cap, both changes of the clock, requests moved between tokens, nodes that
// disagree, outages that end before slots settle, restarts and full disks.
func TestEachRequestOnce(t *testing.T) {
	eachRequestOnce(t, propertyRuns(testing.Short()), shortOutage, 0)
}

// propertyRuns returns how many runs there are; few are to be made under the race detector.
func propertyRuns(short bool) uint64 {
	if short {
		return *runs / 30
	}
	return *runs
}

// shortOutage is the longest outage that is drawn unless it may be longer than the settle time.
const shortOutage = time.Hour

func eachRequestOnce(t *testing.T, n uint64, longest, settle time.Duration) {
	t.Helper()
	shards := uint64(runtime.GOMAXPROCS(0))
	for shard := range shards {
		t.Run(fmt.Sprint("shard ", shard), func(t *testing.T) {
			t.Parallel()
			for seed := shard; seed < n; seed += shards {
				trial := newTrial(seed, t.TempDir(), longest, settle)
				if err := trial.run(); err != nil {
					t.Fatalf("%s: %v", trial.text, err)
				}
			}
		})
	}
}
