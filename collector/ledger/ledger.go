package ledger

import (
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/ledger/audit"
	"github.com/abs-exporter/abs-exporter/collector/ledger/clocks"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Span is a stretch of time in whole minutes.
type Span = clocks.Span

// Zone knows which instants ABS's wall clock names unambiguously.
type Zone = clocks.Zone

// Config holds the settings of a ledger. Zero values are not defaults.
type Config struct {
	Target string
	Zone   Zone
	SlotTimes

	MaxTokens     int
	MaxValues     int
	Choices       counts.Choices
	Dimensions    []counts.Dimension // that get series by token
	DisplaceAfter time.Duration      // a busier token may displace one without gain for this long
	Expire        time.Duration      // a token without gain for this long leaves

	ResponseCap ResponseCap
	ZeroFor     time.Duration // how long a new series is exposed as 0
}

// SlotTimes say how long a slot is, and when it is read.
type SlotTimes struct {
	Slot        time.Duration
	Reread      time.Duration // how often an ended slot is read again
	Settle      time.Duration // how long after its end
	MaxBackfill time.Duration // past this a slot that is not settled is closed
	Lookback    time.Duration // a ledger without state counts from this long ago
	Keep        time.Duration // settled slots are kept for the audit for this long
}

// Ledger counts the requests of one target. It is not safe for concurrent use.
type Ledger struct {
	// Rezoned says that the state was counted in another zone or with another window end, so that
	// what the open slots held became their baseline.
	Rezoned bool

	c      Config
	labels counts.Tables

	exposed
	slots    []*slot // oldest first: open ones, and some that are done
	schedule schedule
	clock    clocks.Clock
	fresh    bool // no slot was dropped since counting began: what is not in slots was not counted
	activity activity
	audit    audit.State
	readings uint64 // applied so far

	staging staging
	spare   []*Reading                    // whose buffers are used again
	gains   [counts.NumDimensions][]int64 // of the reading that is being counted, not yet in the totals
}

// exposed is all counters that have series.
type exposed struct {
	total   counts.Counters // the target's
	other   counts.Counters // token="_other"
	tracked tracked
	health  health
}

// health holds the ledger's own counters.
type health struct {
	missed, unproven, regressions metrics.Count
	overflow                      map[string]*metrics.Count // requests counted under Other, by dimension
	// restoredMissed is missed as the last process exposed it. Slots are missed in pauses, and so in
	// the first cycle: the former value is exposed first, or nobody would see the increase.
	restoredMissed int64
}

func newHealth() health {
	h := health{overflow: map[string]*metrics.Count{}}
	for _, name := range overflowDimensions() {
		h.overflow[name] = &metrics.Count{}
	}
	return h
}

func overflowDimensions() []string { return metrics.SeriesOverflow.LabelValues["dimension"] }

// New returns a ledger without state. It counts nothing before the first Advance.
func New(c Config) *Ledger {
	l := &Ledger{
		c:        c,
		labels:   counts.NewTables(c.MaxValues, c.Choices),
		exposed:  exposed{tracked: newTracked(c.MaxTokens), health: newHealth()},
		fresh:    true,
		schedule: schedule{length: c.Slot},
		staging:  staging{zero: metrics.ZeroInit{ZeroFor: c.ZeroFor}},
	}
	return l
}

// counted reports whether requests are split by a dimension.
func (l *Ledger) counted(d counts.Dimension) bool {
	return !d.Optional() || slices.Contains(l.c.Dimensions, d)
}

// Requests returns how many requests were counted since the counters began.
func (l *Ledger) Requests() int64 { return l.total.Total.Value }

// Tracked returns how many tokens have series of their own.
func (l *Ledger) Tracked() int { return len(l.tracked.index) }

// IsTracked reports whether a token has series of its own.
func (l *Ledger) IsTracked(id tokenid.ID) bool {
	_, ok := l.tracked.index[id]
	return ok
}

// LastGain returns when the last report with new requests was requested; zero if none was.
func (l *Ledger) LastGain() time.Time { return l.activity.lastGain }

// Values returns the values of a dimension by the names that ABS has for them: those that have an
// index, without Other, and those without series by choice that came lately.
func (l *Ledger) Values(d counts.Dimension) []string {
	return append(l.labels[d].Names(), l.labels[d].NotChosen()...)
}

// SetFlagged sets the tokens that are tracked before all others.
func (l *Ledger) SetFlagged(ids map[tokenid.ID]struct{}) { l.tracked.flagged = ids }

// activity is a clock that stands still while no new requests arrive at all, so that an ABS that is
// down makes no token idle.
type activity struct {
	clock    time.Duration
	lastGain time.Time
	resumed  time.Time // the last gain that ended a pause (rule 3)
	held     uint64    // which reading was the last that held requests
}

func (a *activity) notAfter(now time.Time) {
	a.lastGain, a.resumed = earlier(a.lastGain, now), earlier(a.resumed, now)
}

// SawABS records ABS's clock as an answer has it; zero where it has none.
func (l *Ledger) SawABS(date time.Time) {
	l.schedule.clockBack = l.clock.SawABS(date, l.c.tolerance()) || l.schedule.clockBack
}

// twoBatches is two of ABS's batches of ten minutes.
const twoBatches = 20 * time.Minute

// gain moves the clock. A longer pause than ABS's batches make is one in which nothing arrived.
func (a *activity) gain(now time.Time, c *Config) {
	if !now.After(a.lastGain) {
		return
	}
	pause := now.Sub(a.lastGain)
	if pause > c.quiet() {
		a.resumed = now
	}
	if !a.lastGain.IsZero() {
		a.clock += min(pause, max(2*c.Reread, twoBatches))
	}
	a.lastGain = now
}
