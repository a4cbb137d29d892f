package crash

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/test/tools"
)

// scenario is one run: an ABS, what happens to it and to the exporter.
type scenario struct {
	seed    uint64
	hours   float64 // of traffic, from Begin on
	kills   int     // in this time
	aims    []aim   // of the kills, round robin
	absence int     // after each kill of this number the exporter stays away for up to away; 0: never
	away    time.Duration
	factor  float64 // how much faster time runs
	https   bool
	abs     simulator.Config
	faults  []simulator.Fault // until the traffic ends
	args    []string          // over those of every run
	settle  time.Duration     // --collect.settle
}

const (
	interval = 2 * time.Minute
	slot     = 30 * time.Minute
	// lookback is the time that the first process has to start.
	lookback = 2 * time.Hour
)

// failing returns faults of every kind; together they hit about 30 % of the calls. Few of them are
// bodies that end early: each of those halves the windows of a slot's reports, and the run is not
// to have a report a minute.
func failing() []simulator.Fault {
	return []simulator.Fault{
		{Kind: simulator.FaultSlow, Delay: 20 * time.Millisecond, Probability: 0.05},
		{Kind: simulator.FaultStatus, Code: 503, Probability: 0.07},
		{Kind: simulator.FaultStatus, Code: 500, Probability: 0.05},
		{Kind: simulator.FaultReset, Probability: 0.05},
		{Kind: simulator.FaultHTML, Probability: 0.05},
		{Kind: simulator.FaultGarbage, Probability: 0.03},
		{Kind: simulator.FaultWrongReport, Probability: 0.03},
		{Kind: simulator.FaultStall, Delay: 20 * time.Millisecond, Probability: 0.03},
		{Kind: simulator.FaultHang, Delay: 60 * time.Millisecond, Probability: 0.01},
		{Kind: simulator.FaultCut, Share: 0.9, Probability: 0.01},
		{Kind: simulator.FaultAbort, Probability: 0.01},
	}
}

// late returns an ABS whose requests are reported up to 100 minutes after their batch's end: less
// than the settle time of 2 h.
func late(tokens int, rate float64, begin time.Time) simulator.Config {
	return simulator.Config{
		Tokens: tokens, TokenLife: 16 * time.Hour, Rate: rate, Begin: begin, MaxTokenLen: 200,
		Batch: 10 * time.Minute, Delay: 20 * time.Minute, DelayMax: 100 * time.Minute, SplitRows: 3,
	}
}

// trial is a scenario under way.
type trial struct {
	*scenario
	t          testing.TB
	rng        *rand.Rand
	clock      clock
	begin, end time.Time // of the traffic
	sim        *simulator.Simulator
	exporter   *exporter
	state      string // the state directory
	books      books
	saves      int    // kills in the middle of a save
	exact      string // how many tokens were counted in full
}

func (s *scenario) end() time.Time {
	return s.abs.Begin.Add(time.Duration(s.hours * float64(time.Hour)))
}

// start starts the clock and ABS, and prepares the exporter.
func (s *scenario) start(t testing.TB) *trial {
	t.Helper()
	r := &trial{
		scenario: s, t: t, rng: rand.New(rand.NewPCG(s.seed, 3)), begin: s.abs.Begin, end: s.end(),
		state: filepath.Join(t.TempDir(), "state"),
	}
	r.exporter = &exporter{path: tools.Binary(t, "abs_fastclock"), log: r.logFile()}
	config := s.abs
	config.Seed, config.End = s.seed, r.end
	config.Now = func() time.Time { return r.clock.Now() }
	r.clock = startClock(r.begin.Add(-interval), s.factor)
	r.sim = simulator.New(config)
	if err := r.sim.SetFaults(s.faults...); err != nil {
		t.Fatal(err)
	}
	url := r.serveABS()
	r.exporter.env = []string{
		r.clock.variable(), "ABS_EXPORTER_ABS_ACCESS_KEY=abs_ak", "ABS_EXPORTER_ABS_SECRET_KEY=abs_sk", "TMPDIR=" + t.TempDir(),
	}
	r.exporter.args = append([]string{
		"serve", "--abs.name=abs", "--state.dir=" + r.state, "--web.listen-address=127.0.0.1:0",
		"--abs.rate=5000", "--abs.timeout=2s", "--collect.interval=" + interval.String(), "--collect.slot=" + slot.String(),
		"--collect.lookback=" + lookback.String(), "--collect.settle=" + r.settling().String(), "--series.max-tokens=300",
		"--series.expire=10000h", "--collect.max-backfill=96h", "--no-forensics.enabled", "--log.level=" + logLevel(),
	}, append(url, s.args...)...)
	return r
}

func (s *scenario) settling() time.Duration {
	if s.settle == 0 {
		return 2 * time.Hour
	}
	return s.settle
}

func logLevel() string {
	if *logsFlag != "" {
		return "debug"
	}
	return "info"
}

func (r *trial) logFile() io.Writer {
	if *logsFlag == "" {
		return io.Discard
	}
	name := strings.NewReplacer("/", "_", " ", "_", ",", "").Replace(r.t.Name()) + ".log"
	f, err := os.Create(filepath.Join(*logsFlag, name))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = f.Close() }) // for people only
	return f
}

// serveABS serves the simulated ABS until the test ends, and returns the flags that name it.
func (r *trial) serveABS() []string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	var cert tls.Certificate
	flags := []string{"--abs.url=http://" + l.Addr().String()}
	if r.https {
		var fingerprint string
		if cert, _, fingerprint, err = simulator.SelfSigned("127.0.0.1"); err != nil {
			r.t.Fatal(err)
		}
		flags = []string{"--abs.url=https://" + l.Addr().String(), "--abs.tls.fingerprint=" + fingerprint}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.sim.Serve(ctx, l, cert) }()
	r.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			r.t.Error(err)
		}
	})
	return flags
}

// run kills and starts the exporter until the traffic ends, lets it run until all is settled, and
// judges what it served.
func (s *scenario) run(t *testing.T) {
	t.Helper()
	s.start(t).run()
}

func (r *trial) run() {
	t := r.t
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	scraped := make(chan struct{})
	go func() {
		defer close(scraped)
		if err := r.scrapeOn(ctx); err != nil {
			cancel(err)
		}
	}()
	last, err := r.live(ctx)
	if err == nil {
		err = r.settleDown(ctx, last)
	}
	cancel(err)
	<-scraped
	if last != nil {
		_ = last.kill() // the run is over; all that it served was judged
	}
	if err == nil {
		err = r.judge(r.books.page())
	}
	t.Logf("%d kills, %d of them during a save; %d pages, %d series whose 0 none of them had; %s; responses of ABS by status: %v",
		r.kills, r.saves, r.books.pages, r.books.notAtZero, r.exact, r.sim.Stats().Statuses)
	if err != nil {
		t.Fatalf("%v\nThe end of the exporter's log:\n%s", err, r.exporter.lastLines())
	}
}

// scrapeEvery is the scrape interval, in real time.
const scrapeEvery = 40 * time.Millisecond

// scrapeOn enters page after page into the books until ctx ends.
func (r *trial) scrapeOn(ctx context.Context) error {
	s := &scraper{}
	defer s.client.CloseIdleConnections()
	for sleep(ctx, scrapeEvery) == nil {
		address := r.exporter.at()
		if address == "" {
			continue
		}
		p, err := s.scrape(ctx, address)
		if errors.Is(err, errTwice) {
			return err
		}
		if err != nil {
			continue // it was killed meanwhile
		}
		r.books.enter(p)
		if err := r.books.firstWrong(); err != nil {
			return err
		}
		if r.books.pages%20 == 0 {
			now := r.clock.Now()
			if n, reported := p.requests(), r.sim.TruthVisible(r.begin, r.end, now).Requests; n > reported {
				return fmt.Errorf("abs_requests_total is %d at %v, when ABS had reported %d", n, now, reported)
			}
		}
		if n := p.sum("abs_exporter_missed_slots_total", "")[""]; n > 0 {
			return fmt.Errorf("%d slots missed", n)
		}
	}
	return nil
}

// live kills the exporter and starts it again until the traffic ends. It returns the last process.
func (r *trial) live(ctx context.Context) (*process, error) {
	p, err := r.exporter.start(ctx)
	if err != nil {
		return nil, err
	}
	for i := range r.kills {
		// The kills that remain are spread over the time that remains.
		now := r.clock.Now()
		gap := max(0, r.end.Sub(now)) / time.Duration(r.kills-i)
		at := now.Add(time.Duration(r.rng.Int64N(2*int64(gap) + 1)))
		if err := r.wait(ctx, p, at); err != nil {
			return p, err
		}
		if p, err = r.strike(ctx, p, i); err != nil {
			return p, err
		}
	}
	return p, r.wait(ctx, p, r.end)
}

// wait waits for an instant, or returns an error once the exporter has ended.
func (r *trial) wait(ctx context.Context, p *process, at time.Time) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-p.ended:
			cancel(fmt.Errorf("the exporter ended by itself: %w", p.err))
		case <-ctx.Done():
		}
	}()
	return r.clock.sleepUntil(ctx, at)
}

// aim is the kind of instant at which the exporter is killed.
type aim int

const (
	anywhere   aim = iota
	inSave         // while a state file is being written
	afterSave      // when one was written, but perhaps not served yet
	afterCycle     // when both of a cycle were written, and perhaps not scraped
	unsaved        // when none could be written for some cycles
	starting       // and once more while it starts, or just after
)

func (a aim) String() string {
	return [...]string{"anywhere", "in a save", "after a save", "after a cycle", "unsaved", "and again while starting"}[a]
}

// mixed returns the aims of most runs.
func mixed() []aim {
	return []aim{inSave, afterSave, anywhere, starting, inSave, afterCycle, unsaved, anywhere}
}

// strike kills the exporter for the i-th time and starts it again.
func (r *trial) strike(ctx context.Context, p *process, i int) (*process, error) {
	at := r.aims[i%len(r.aims)]
	if err := r.waitFor(ctx, p, at); err != nil {
		return p, err
	}
	if err := p.kill(); err != nil {
		return p, err
	}
	_, _ = fmt.Fprintf(r.exporter.log, "killed %v, kill %d at %v\n", at, i, r.clock.Now()) // for people only
	if at == unsaved {
		if err := os.Rename(r.state+awayName, r.state); err != nil {
			return p, err
		}
	}
	entries, err := os.ReadDir(r.state)
	if err != nil && !errors.Is(err, os.ErrNotExist) { // a slow first process has not created it yet
		return p, err
	}
	if temporary(entries) {
		r.saves++
	}
	if r.absence > 0 && (i+1)%r.absence == 0 {
		if err := sleep(ctx, r.clock.real(time.Duration(r.rng.Int64N(int64(r.away))))); err != nil {
			return p, err
		}
	}
	if at == starting {
		p, err := r.exporter.start(ctx)
		if err != nil {
			return p, err
		}
		if err := sleep(ctx, time.Duration(r.rng.Int64N(int64(40*time.Millisecond)))); err != nil {
			return p, err
		}
		if err := p.kill(); err != nil {
			return p, err
		}
	}
	return r.exporter.start(ctx)
}

// awayName is appended to the name of the state directory while saves are to fail.
const awayName = ".away"

// waitFor waits for the kind of instant that is aimed at, if it is near.
func (r *trial) waitFor(ctx context.Context, p *process, at aim) error {
	var err error
	limit := 3 * r.clock.real(interval)
	switch at {
	case inSave:
		err = watch(ctx, r.state, limit, temporary)
		// A save may be shorter than that: most kills follow at once.
		if within := r.rng.Int64N(int64(300 * time.Microsecond)); r.rng.IntN(4) == 0 {
			spin(time.Duration(within))
		}
	case afterSave:
		err = watch(ctx, r.state, limit, saved())
		spin(time.Duration(r.rng.Int64N(int64(time.Millisecond))))
	case afterCycle:
		if err = watch(ctx, r.state, limit, saved()); err == nil {
			err = sleep(ctx, scrapeEvery/4)
		}
	case unsaved:
		select {
		case <-p.up: // it has read its state
		case <-p.ended:
			return fmt.Errorf("the exporter ended by itself: %w", p.err)
		}
		if err = os.Rename(r.state, r.state+awayName); err == nil {
			err = sleep(ctx, limit+r.clock.real(time.Duration(r.rng.Int64N(int64(3*interval)))))
		}
	case anywhere, starting:
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil // the directory: the first process has not created it yet
	}
	return err
}

// spin waits for less time than a timer can.
func spin(d time.Duration) {
	for begin := time.Now(); time.Since(begin) < d; {
		runtime.Gosched()
	}
}

// settleDown removes the faults and waits until every slot with data is settled, and then for some
// cycles more, in which nothing may be counted.
func (r *trial) settleDown(ctx context.Context, p *process) error {
	if err := r.sim.SetFaults(); err != nil {
		return err
	}
	settled := r.end.Add(slot + r.settling())
	if err := r.wait(ctx, p, settled.Add(3*interval)); err != nil {
		return err
	}
	// A busy machine may be late by some cycles of this fast time.
	for deadline := settled.Add(r.patience()); ; {
		page := r.books.page()
		if page != nil && page.gauges["abs_exporter_slotspending"] == 0 && page.gauges["abs_up"] == 1 && r.judge(page) == nil {
			break
		}
		if r.clock.Now().After(deadline) {
			break // judge reports what is wrong
		}
		if err := r.wait(ctx, p, r.clock.Now().Add(interval/2)); err != nil {
			return err
		}
	}
	return r.wait(ctx, p, r.clock.Now().Add(5*interval))
}

// patience returns a minute of real time.
func (r *trial) patience() time.Duration {
	return time.Duration(float64(time.Minute) * r.factor)
}

// judge compares a page with what was requested.
func (r *trial) judge(p *page) error {
	if p == nil {
		return errors.New("no page was ever scraped")
	}
	truth := r.sim.Truth(r.begin, r.end)
	errs := []error{r.books.firstWrong()}
	equal := func(what string, got, want map[string]int64) {
		for _, key := range keys(got, want) {
			if got[key] != want[key] {
				errs = append(errs, fmt.Errorf("%s %q is %d, requested were %d", what, key, got[key], want[key]))
			}
		}
	}
	equal("abs_requests_total", p.sum("abs_requests_total", ""), map[string]int64{"": truth.Requests})
	for _, d := range []struct {
		label string
		want  map[string]int64
	}{{"method", truth.ByMethod}, {"api", truth.ByAPI}, {"device", truth.ByDevice}} {
		for _, family := range []string{"abs_%s_requests_total", "abs_token_%s_requests_total"} {
			family = fmt.Sprintf(family, d.label)
			equal(family+" of "+d.label, p.sum(family, d.label), d.want)
		}
	}
	return errors.Join(append(errs, r.judgeTokens(p, truth))...)
}

// judgeTokens compares each token's own series with what the token requested. What was counted
// before a token was tracked is under _other: never more, and nothing else.
func (r *trial) judgeTokens(p *page, truth simulator.Totals) error {
	key, err := os.ReadFile(filepath.Join(r.state, "token-id.key"))
	if err != nil {
		return err
	}
	got := p.sum("abs_token_requests_total", "token")
	other := got["_other"]
	delete(got, "_other")
	var errs []error
	var untracked int64
	exact := 0
	for token, want := range truth.ByToken {
		id := tools.TokenID(strings.TrimSuffix(string(key), "\n"), token)
		switch n := got[id]; {
		case n > want.Requests:
			errs = append(errs, fmt.Errorf("token %s was counted %d times, requested were %d", id, n, want.Requests))
		case n == want.Requests:
			exact++
			errs = append(errs, sameSplits(p, id, want))
		default:
			untracked += want.Requests - n
		}
		delete(got, id)
	}
	for id, n := range got {
		errs = append(errs, fmt.Errorf("token %s was counted %d times, and there is no such token", id, n))
	}
	if untracked != other {
		errs = append(errs, fmt.Errorf("%d requests are missing from the tokens' own series, and _other has %d", untracked, other))
	}
	r.exact = fmt.Sprintf("%d of %d tokens were never counted under _other", exact, len(truth.ByToken))
	if exact*4 < len(truth.ByToken) { // a slow machine splits more windows, and then more tokens are
		errs = append(errs, fmt.Errorf("only %s: too few to judge by", r.exact))
	}
	return errors.Join(errs...)
}

func sameSplits(p *page, id string, want *simulator.TokenTotals) error {
	var errs []error
	for label, values := range map[string]map[string]int64{"method": want.ByMethod, "api": want.ByAPI, "device": want.ByDevice} {
		got := map[string]int64{}
		for _, s := range p.counters {
			if s.family == "abs_token_"+label+"_requests_total" && s.labels["token"] == id {
				got[s.labels[label]] += int64(s.value)
			}
		}
		for _, key := range keys(got, values) {
			if got[key] != values[key] {
				errs = append(errs, fmt.Errorf("token %s, %s %q: counted %d, requested were %d", id, label, key, got[key], values[key]))
			}
		}
	}
	return errors.Join(errs...)
}

func keys(a, b map[string]int64) []string {
	var all []string
	for k := range a {
		all = append(all, k)
	}
	for k := range b {
		all = append(all, k)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
