package collector

import (
	"context"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/failures"
	"github.com/abs-exporter/abs-exporter/collector/findings"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// wiring is what the parts of a target share. None of them changes a field of it.
type wiring struct {
	Target
	options   *Options
	ids       *tokenid.Hasher
	absClock  *absClock
	ledger    *ledger.Ledger
	health    *metrics.Health
	clock     Clock
	log       *slog.Logger
	failures  *failures.Failures
	heartbeat func() // the loop is alive
}

// report is one kind of report that a cycle requests. To add one, write a new file and a line in
// newTarget.
type report interface {
	// poll requests what is due, records the answer, and counts in the cycle what succeeded and what
	// failed. It returns true if there is something to publish before the next report is polled.
	poll(ctx context.Context, c *cycle) (publish bool)
}

// target polls one ABS deployment. All of it belongs to the goroutine of its loop, but for the
// status.
type target struct {
	*wiring
	reports   []report // in the order in which a cycle polls them
	window    *windowReport
	admin     *adminReport
	findings  *findings.Findings
	publisher Publisher
	state     *stateFile
	counters  []metrics.Block // as last published
	up        bool            // the last cycle that requested reports got them
	last      cycle           // the last one that ended
	running   time.Time       // when the cycle that runs began; zero between two
	host      string          // of the URL
	status    *atomic.Pointer[Status]
}

// cycle is one round of all reports.
type cycle struct {
	began     time.Time
	staged    time.Time // its first commit
	took      time.Duration
	succeeded int // reports
	failed    int
	refused   bool // ABS refused the keys: nothing more is requested
}

// newTarget prepares a target that goes on from a state; nil: it begins. Nothing is exposed before
// open.
func newTarget(
	t Target, e Environment, state *stateFile, saved *savedState, heartbeat func(), status *atomic.Pointer[Status],
) (_ *target, err error) {
	o := &t.Options
	if t.Location == nil {
		t.Location = time.UTC
	}
	if t.ResponseCap == 0 {
		t.ResponseCap = abs.DefaultResponseCap
	}
	// A series that is exposed as 0 is to be scraped once before it moves. Cycles do not end as
	// regularly as they begin, hence not all of an interval.
	zeroFor := o.Interval / 8 * 7
	log := e.Log.With("target", t.Name)
	w := &wiring{
		Target: t, ids: e.Key.Hasher(), health: e.Health, clock: e.Clock, log: log,
		failures: failures.New(e.Clock.Now, log), heartbeat: heartbeat,
		absClock: &absClock{log: log, skew: func(seconds float64) { e.Health.ServerClockSkew.WithLabelValues(t.Name).Set(seconds) }},
	}
	w.options = &w.Options
	c := &target{wiring: w, host: hostOf(t.URL), publisher: e.Publisher, state: state, status: status}
	changed := func() { c.publish(w.clock.Now(), true) }
	c.findings = newFindings(w, zeroFor, e.Events, changed)
	c.admin = &adminReport{wiring: w, changed: changed}
	w.ledger, err = c.state.newLedger(saved, ledger.Config{
		Target: t.Name,
		Zone:   ledger.Zone{Location: t.Location, Inclusive: t.Inclusive},
		SlotTimes: ledger.SlotTimes{
			Slot: o.Slot, Reread: o.reread(), Settle: o.Settle, MaxBackfill: o.MaxBackfill, Lookback: o.Lookback, Keep: auditKeep * o.Audit,
		},
		MaxTokens: o.MaxTokens, MaxValues: o.MaxValues, Choices: o.Choices, Dimensions: o.Dimensions,
		DisplaceAfter: ledger.DisplaceAfter, Expire: o.Expire,
		ResponseCap: ledger.ResponseCap(t.ResponseCap), ZeroFor: zeroFor,
	})
	if err != nil {
		return nil, err
	}
	if saved != nil {
		if err := c.findings.Restore(saved.Findings); err != nil {
			return nil, c.state.unusable(err)
		}
		if !saved.hasSeriesOf(&t) { // restored values under another label would look like one huge increase
			w.ledger.RestartSeries(nil)
			c.findings.RestartSeries(nil)
		}
		if w.ledger.Rezoned {
			log.Warn("time zone or window end changed", "flags", "--abs.timezone, --abs.window-end",
				"consequence", "what ABS holds in the slots that are still open is a baseline and is not counted")
		}
	}
	c.window = &windowReport{wiring: w, findings: c.findings, spans: 1}
	c.reports = []report{
		&slotReports{wiring: w}, c.window, &windowEndCheck{wiring: w}, &zoneCheck{wiring: w}, newAudit(w), c.admin,
	}
	return c, nil
}

// open exposes the target for the first time: what was restored, or zeros.
func (t *target) open() {
	t.health.Init(t.Name)
	recordConfig(t.health, t.Name, &t.Options)
	if last := t.ledger.LastGain(); !last.IsZero() {
		t.health.LastNewRequests.WithLabelValues(t.Name).Set(float64(last.Unix()))
	}
	logTarget(t.log, &t.Target, t.clock.Now())
	t.commit(&cycle{})
}

// hostOf returns the host of a URL and its port, and nothing else of it.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Host
}

// newFindings connects findings with the target. changed publishes the gauges within a cycle.
func newFindings(w *wiring, zeroFor time.Duration, events func(metrics.Event), changed func()) *findings.Findings {
	o := w.options
	if receive, labels := events, w.Labels; receive != nil {
		events = func(e metrics.Event) {
			e.Labels = labels
			receive(e)
		}
	}
	c := findings.Config{
		Target: w.Name, Rate: o.ForensicsRate, Window: o.Window, Interval: o.Interval, Reread: o.Reread,
		MaxTokens: o.MaxTokens, ZeroFor: zeroFor, Catalogue: o.Catalogue, LogEvents: o.LogEvents, Expire: o.Expire,
		Hooks: findings.Hooks{
			Clock: w.clock, Log: w.log, Hash: w.ids.ID, Events: events, Changed: changed,
			Tracked:  func(id tokenid.ID) bool { return w.ledger.IsTracked(id) },
			APIs:     func() []string { return w.ledger.Values(counts.API) },
			Failed:   func(report string, err error, consequence string) { w.failures.ReportFailed(report, err, consequence) },
			Answered: w.failures.ReportAnswered, Heartbeat: w.heartbeat,
			Ambiguous: func(span abs.Window) bool {
				zone := ledger.Zone{Location: w.Location, Inclusive: w.Inclusive}
				return !zone.Certain(ledger.Span(span))
			},
		},
	}
	if o.Forensics {
		c.AttackReports = w.AttackReports
		if w.Forensics {
			c.Forensics = w.ABS
		}
	}
	return findings.New(c)
}

// runCycle polls every report, publishes what was counted, and spends the rest of the interval on
// findings. It returns when it began.
func (t *target) runCycle(ctx context.Context) time.Time {
	c := cycle{began: t.clock.Now()}
	t.failures.Begin()
	defer t.failures.Flush()
	t.running = c.began
	s := *t.status.Load()
	s.Running = t.running
	t.status.Store(&s)
	for _, r := range t.reports {
		publish := r.poll(ctx, &c)
		if ctx.Err() != nil {
			return c.began // cut: what was read is in the ledger, but half a cycle is not published
		}
		if publish {
			t.commit(&c)
		}
		if c.refused {
			break
		}
	}
	t.failures.Flush()
	t.recordUp(&c)
	until := nextCycle(c.began, t.options.Interval)
	if c.refused {
		until = c.began // only what is too old ends
	}
	t.findings.Run(ctx, until)
	c.took = t.clock.Now().Sub(c.began)
	t.health.CycleDuration.WithLabelValues(t.Name).Observe(c.took.Seconds())
	t.last, t.running = c, time.Time{}
	t.commit(&c)
	return c.began
}
