package collector

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/catalogue"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// displaceAfter is how long a listed token goes without new requests before a busier one may
// take its place: three of ABS's batches.
const displaceAfter = 30 * time.Minute

// keptErrors is how many failures the status page shows.
const keptErrors = 10

// target is the loop of one ABS deployment. All of it belongs to one goroutine, but for
// the status.
type target struct {
	Target
	o      *Options
	ids    *tokenid.Hasher
	health *metrics.Health
	pub    Publisher
	clock  Clock
	log    *slog.Logger
	turn   func() // tells that the loop makes progress

	ledger    *ledger.Ledger
	window    window
	attacks   *attacks
	forensics forensics
	gauges    *gauges
	hints     *hints              // nil without
	unknown   map[string]struct{} // types that were told not to be in the catalogue
	audit     audit
	seams     seams

	state    stateFile
	keyCheck []byte
	saved    time.Time
	lastSave *savedState // without the ledger's; nil: none that says what was staged then

	counters []metrics.Block // as they were last published
	errors   []ErrorStatus   // newest first
	status   atomic.Pointer[Status]
	cycle    cycle
	last     cycle // the last one that ended
	up       bool  // the last cycle that asked for reports got them
}

// cycle is what one cycle came to.
type cycle struct {
	began           time.Time
	staged          time.Time // its first commit
	took            time.Duration
	succeeded       int
	failed          int
	forensicsFailed bool
}

func newTarget(o *Options, t Target, key tokenid.Key, health *metrics.Health, pub Publisher, clock Clock, log *slog.Logger, turn func()) (*target, error) {
	if t.Location == nil {
		t.Location = time.UTC
	}
	if t.ResponseCap == 0 {
		t.ResponseCap = abs.DefaultResponseCap
	}
	dimensions, err := parseDimensions(o.Dimensions)
	if err != nil {
		return nil, err
	}
	types, err := catalogue.New(o.Severities)
	if err != nil {
		return nil, err
	}
	// A series that is served as 0 is to be scraped once before it moves. Cycles do not
	// end as regularly as they begin, hence not all of an interval.
	hold := o.Interval / 8 * 7
	c := &target{
		Target: t, o: o, ids: key.Hasher(), health: health, pub: pub, clock: clock, log: log, turn: turn,
		attacks:   newAttacks(t.Name, o.MaxTokens, hold, types),
		forensics: newForensics(o), gauges: newGauges(t.Name),
		state: newStateFile(o.StateDir, t.Name), keyCheck: key.Check(),
	}
	c.window.parts = 1
	c.unknown = map[string]struct{}{}
	if o.Forensics && t.AttackReports != nil {
		c.hints = newHints()
	}
	config := ledger.Config{
		Target: t.Name,
		Zone:   ledger.Zone{Location: t.Location, Inclusive: t.Inclusive},
		Slot:   o.Slot, Reread: o.reread(), Settle: o.Settle,
		MaxBackfill: o.MaxBackfill, Lookback: o.Lookback,
		MaxTokens: o.MaxTokens, MaxValues: o.MaxValues, Dimensions: dimensions,
		DisplaceAfter: displaceAfter, Expire: o.Expire, Keep: auditKeep * o.Audit, ResponseCap: ledger.ResponseCap(t.ResponseCap), Hold: hold,
	}
	if err := c.restore(config); err != nil {
		return nil, err
	}
	health.Init(t.Name)
	if last := c.ledger.LastGain(); !last.IsZero() {
		health.LastNewRequests.WithLabelValues(t.Name).Set(float64(last.Unix()))
	}
	c.commit()
	return c, nil
}

// restore makes the ledger: as the last process left it, or a new one.
func (t *target) restore(config ledger.Config) error {
	saved, err := t.state.load()
	switch {
	case err != nil:
		return err
	case saved == nil:
		t.ledger = ledger.New(config)
		return nil
	case saved.Target != t.Name:
		return fmt.Errorf("state file %s is that of target %q", t.state.path, saved.Target)
	case !bytes.Equal(saved.KeyCheck, t.keyCheck):
		return fmt.Errorf("state file %s was made with another token key, so its token ids would not be found again. Give the former --series.token-key-file, or remove the file to begin the counters anew", t.state.path)
	}
	if t.ledger, err = ledger.Restore(config, saved.Ledger); err != nil {
		return fmt.Errorf("state file %s: %w. Nothing of it was used. Restore it from a copy, or remove it to begin the counters anew", t.state.path, err)
	}
	if t.ledger.Rezoned {
		t.log.Warn("--abs.timezone or --abs.window-end is another than before",
			"consequence", "what ABS holds in the slots that are still open is taken as read and not counted")
	}
	t.attacks.restore(saved.Attacks)
	t.forensics.plan.Resume(saved.Cursor)
	t.log.Info("going on from the saved state", "saved", saved.Saved, "requests", t.ledger.Requests(), "tracked_tokens", t.ledger.Tracked())
	return nil
}

// run is the loop: one cycle now, then one at each instant of the grid.
func (t *target) run(ctx context.Context) error {
	for {
		t.runCycle(ctx)
		t.turn()
		if err := t.clock.Sleep(ctx, wait(t.cycle.began, t.clock.Now(), t.o.Interval)); err != nil {
			return nil //nolint:nilerr // the context's end is how a loop is meant to end
		}
	}
}

// runCycle reads what is due, publishes what it counted, and asks forensics with the
// time that is left.
func (t *target) runCycle(ctx context.Context) {
	t.cycle = cycle{began: t.clock.Now()}
	t.readSlots(ctx)
	if ctx.Err() != nil {
		return // cut: what was read is in the ledger, but half a cycle is not published
	}
	t.commit()
	if t.readWindow(ctx) {
		t.commit()
	}
	t.checkSeams(ctx)
	t.runAudit(ctx)
	t.tellUp()
	t.readHints(ctx)
	if t.o.Forensics && t.Forensics {
		t.askForensics(ctx)
	}
	t.cycle.took = t.clock.Now().Sub(t.cycle.began)
	t.last = t.cycle
	t.health.CycleDuration.WithLabelValues(t.Name).Observe(t.cycle.took.Seconds())
	t.commit()
}

// failed notes a failure for the log and the status page. consequence says what follows
// from it for the data.
func (t *target) failure(what string, err error, consequence string) {
	t.log.Warn(what, "err", err, "consequence", consequence)
	text := what + ": " + err.Error() + "; " + consequence
	t.errors = append([]ErrorStatus{{At: t.clock.Now(), What: text}}, t.errors...)
	if len(t.errors) > keptErrors {
		t.errors = t.errors[:keptErrors]
	}
}
