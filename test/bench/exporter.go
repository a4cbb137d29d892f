package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"math"
	"os"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/collector/calls"
	"github.com/abs-exporter/abs-exporter/collector/findings/catalogue"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/collector/statedir"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

const (
	targetName = "abs"
	tokenKey   = "bench: a key of no secrecy at all" // #nosec G101 -- it guards nothing
)

// exporter is the real one, less flags and pages: the client, the collector with its ledger, the
// state file, the exposition and the registry with the exporter's own health.
type exporter struct {
	url, fingerprint string
	tracked          int
	state            string
	profile          string
	cycles, twice    bool
	forensics        time.Duration

	clock      *stepClock
	exposition *metrics.Exposition
	read       func() // called at each commit once both reports were read
	start      atomic.Int64
	calls      atomic.Int64 // of forensics
}

func (e *exporter) flags(f *flag.FlagSet) {
	f.StringVar(&e.url, "url", "", "base URL of the ABS")
	f.StringVar(&e.fingerprint, "fingerprint", "", "of its certificate")
	f.IntVar(&e.tracked, "tracked", 1000, "--series.max-tokens")
	f.StringVar(&e.state, "state", "", "--state.dir")
	f.StringVar(&e.profile, "profile", "", "write a CPU profile of the cycle to this file")
	f.BoolVar(&e.twice, "twice", false, "run a second cycle before the scrape: it serves the values of series that are new in the first")
	f.BoolVar(&e.cycles, "cycles", false, "run a cycle for each line of standard input, and print how long it lasted")
	f.DurationVar(&e.forensics, "forensics", 0, "ask forensics for this long at 10 calls a second")
}

// cycled is the line that an exporter prints after each cycle that was requested.
type cycled struct{ Took int64 } // nanoseconds

const (
	interval   = 2 * time.Minute  // --collect.interval
	slotLength = 30 * time.Minute // --collect.slot
)

// firstSlot is the begin of the slot that is counted.
var firstSlot = time.Date(2026, time.March, 3, 12, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // a constant, but for the language

// begin is when the process starts by the collector's clock: a cycle before a slot ends.
var begin = firstSlot.Add(slotLength - interval) //nolint:gochecknoglobals // a constant, but for the language

// stepClock runs as the machine's clock, and is put forward where waiting would measure nothing.
type stepClock struct {
	mu      sync.Mutex
	started time.Time
	ahead   time.Duration
	step    chan struct{} // starts the next cycle; nil: Sleep sleeps
	slept   func()        // called when a cycle has ended
}

func (c *stepClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return begin.Add(time.Since(c.started) + c.ahead)
}

func (c *stepClock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// Sleep waits for the next step, and then puts the clock forward to the end of the next slot.
func (c *stepClock) Sleep(ctx context.Context, d time.Duration) error {
	if c.step == nil {
		return collector.SystemClock{}.Sleep(ctx, d)
	}
	c.slept()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.step:
		c.forward(max(d, slotLength)) // the same work in each cycle: one slot more
		return nil
	}
}

// observed records when the first request is sent.
type observed struct {
	*abs.Client
	e *exporter
}

func (a observed) Tokens(ctx context.Context, w abs.Window, row func(*abs.Row) error) (abs.Summary, error) {
	a.e.start.CompareAndSwap(0, time.Now().UnixNano())
	return a.Client.Tokens(ctx, w, row)
}

// Forensics counts.
func (a observed) Forensics(ctx context.Context, w abs.Window, token []byte) (abs.Forensics, error) {
	a.e.calls.Add(1)
	return a.Client.Forensics(ctx, w, token)
}

// Publish implements collector.Publisher.
func (e *exporter) Publish(target string, s *metrics.Snapshot) {
	e.exposition.Publish(target, s)
	for _, b := range s.Blocks {
		if b.Family == metrics.WindowTokens && len(b.Samples) > 0 && b.Samples[0].Value > 0 {
			e.read()
		}
	}
}

// prepare makes everything up to the first cycle.
func (e *exporter) prepare() (*collector.Collector, error) {
	e.clock = &stepClock{started: time.Now()}
	if e.forensics == 0 {
		e.clock.step = make(chan struct{})
	}
	registry := metrics.NewRegistry(metrics.ReadBuild("bench", ""))
	health := metrics.NewHealth(registry)
	log := slog.New(slog.DiscardHandler)
	e.exposition = metrics.NewExposition(registry, metrics.Options{Registerer: registry, Logger: log})
	var pinned []string
	if e.fingerprint != "" {
		pinned = []string{e.fingerprint}
	}
	client, err := abs.NewClient(abs.Config{
		URL: e.url, Keys: abs.StaticKeys("abs_ak", "abs_sk"), TLS: abs.TLSConfig{Fingerprint: pinned},
		ResponseCap: 1 << 40, Timeout: 10 * time.Minute, UserAgent: "abs-exporter/bench",
		Rate:    1000, // the small reports of the check of seams would wait 150 ms
		Observe: calls.Observe(health, targetName, e.clock.Now, slog.New(slog.DiscardHandler)), Now: e.clock.Now,
	})
	if err != nil {
		return nil, err
	}
	types, err := catalogue.New(nil)
	if err != nil {
		return nil, err
	}
	options := collector.Options{
		Times: collector.Times{
			Interval: interval, Slot: slotLength, Reread: 10 * time.Minute,
			Settle: 2 * time.Hour, Window: 3 * time.Hour, Lookback: slotLength, MaxBackfill: 24 * time.Hour,
		},
		Series: collector.Series{
			MaxTokens: e.tracked, MaxValues: 100, Dimensions: []counts.Dimension{counts.Method, counts.API, counts.Device}, Expire: 2 * time.Hour,
		},
		Forensics: e.forensics > 0, ForensicsRate: 10, Catalogue: types, StateDir: e.state,
	}
	c, err := collector.New([]collector.Target{{
		Options: options, Name: targetName, ABS: observed{client, e}, Location: time.UTC, Forensics: e.forensics > 0, ResponseCap: math.MaxInt64 / 16,
	}}, collector.Environment{Key: tokenid.Key(tokenKey), Health: health, Publisher: e, Clock: e.clock, Log: log})
	// The totals were zero-initialised a cycle ago, so that the first commit has what was counted.
	e.clock.forward(interval)
	return c, err
}

// runExporter runs one cycle and serves one scrape. It can be scraped at the cycle's end; with
// forensics, which lasts until then, once what was read is published.
func runExporter(ctx context.Context, args []string) error {
	e := &exporter{}
	flags := flag.NewFlagSet("exporter", flag.ContinueOnError)
	e.flags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	ready := make(chan struct{})
	var once sync.Once
	served := func() { once.Do(func() { close(ready) }) }
	e.read = func() {
		if e.forensics > 0 {
			served()
		}
	}
	if e.profile != "" {
		f, err := os.Create(e.profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	lock, err := statedir.Open(e.state)
	if err != nil {
		return err
	}
	defer lock.Close() //nolint:errcheck // the end of the process releases it too
	c, err := e.prepare()
	if err != nil {
		return err
	}
	var began atomic.Int64
	ctx = untilParentEnds(ctx, func() {
		began.Store(time.Now().UnixNano())
		e.clock.step <- struct{}{}
	})
	cyclesDone := 0
	e.clock.slept = func() {
		cyclesDone++
		switch at := began.Load(); {
		case e.twice && cyclesDone == 1:
			go func() { e.clock.step <- struct{}{} }()
		case at != 0:
			_ = send(cycled{Took: time.Now().UnixNano() - at}) // the parent may be gone
		default:
			served()
		}
	}
	addr, end, err := serveMetrics(ctx, e.exposition, false)
	if err != nil {
		return err
	}
	ran := make(chan error, 1)
	cycles, stop := context.WithCancel(ctx)
	defer stop()
	go func() { ran <- c.Run(cycles) }()
	select {
	case <-ready:
	case err := <-ran:
		return err
	}
	if err := send(hello{Addr: addr}); err != nil {
		return err
	}
	if err := end(); err != nil {
		return err
	}
	if err := <-ran; err != nil {
		return err
	}
	if e.forensics > 0 && e.calls.Load() == 0 {
		return errors.New("forensics was read of no token")
	}
	top, err := peak()
	if err != nil {
		return err
	}
	return send(bye{Start: e.start.Load(), Peak: top})
}
