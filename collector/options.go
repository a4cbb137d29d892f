package collector

import (
	"context"
	"log/slog"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/calls"
	"github.com/abs-exporter/abs-exporter/collector/findings"
	"github.com/abs-exporter/abs-exporter/collector/findings/catalogue"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Options are how a target is polled and counted; the flags of the same names are described in
// docs/configuration.md.
type Options struct {
	Times
	Series

	Forensics     bool    // --forensics.enabled
	ForensicsRate float64 // --forensics.rate: calls a second
	// Catalogue has the severities of attack types (--forensics.severity).
	Catalogue *catalogue.Catalogue

	Audit time.Duration // --audit.interval; 0: none

	AdminInterval time.Duration // --admin.interval

	LogEvents bool // --log.events: what begins and ends has a log line

	StateDir string // --state.dir; empty: counters live in memory only
}

// Environment is what all targets share.
type Environment struct {
	Key       tokenid.Key // what token ids are made with
	Health    *metrics.Health
	Publisher Publisher
	// Events receives every attack and anomaly that begins or ends; nil: nobody does.
	Events func(metrics.Event)
	Clock  Clock
	Log    *slog.Logger
	// OtherShards has the targets of other shards by name; nil where one process polls all. A state
	// file of theirs is from before they moved.
	OtherShards map[string]int
	StateDir    string // --state.dir, where their files may be
}

// Times are when reports are requested, and for how long requests are counted.
type Times struct {
	Interval    time.Duration // --collect.interval: between the starts of cycles
	Slot        time.Duration // --collect.slot
	Reread      time.Duration // --collect.reread
	Settle      time.Duration // --collect.settle
	Window      time.Duration // --collect.window
	Lookback    time.Duration // --collect.lookback
	MaxBackfill time.Duration // --collect.max-backfill
}

// Series are how many series there are.
type Series struct {
	MaxTokens  int                // --series.max-tokens
	MaxValues  int                // --series.max-values
	Choices    counts.Choices     // --series.max-values-of, --series.allow-…, --series.deny-…
	Dimensions []counts.Dimension // --series.dimensions
	Excluded   []*metrics.Family  // --series.exclude-families: counted, and not exposed
	Expire     time.Duration      // --series.expire
}

// Target is one ABS deployment.
type Target struct {
	Name     string // value of the label target
	URL      string // of the ABS; a target that is renamed is recognised by it
	Labels   *metrics.OwnLabels
	Options  Options
	ABS      ABS            // whom to ask
	Location *time.Location // the zone that ABS's minutes are in; nil is UTC
	// Inclusive: ABS takes the minute of later_date into the window (--abs.window-end).
	Inclusive bool
	// Forensics is false for a restricted user: ABS refuses it the forensics report.
	Forensics bool
	// AttackReports reads the reports that name flagged tokens cheaply; nil: they are not read.
	AttackReports findings.AttackReporter
	// Admin reads ABS's own state; nil: it is not read.
	Admin AdminReporter
	// ResponseCap is ABS's limit for the length of a report, in bytes (--abs.response-cap); 0 is ABS's
	// default.
	ResponseCap int64
	// Timeout is the longest that one request may take, with its wait for the rate: liveness waits for
	// it.
	Timeout time.Duration
	// Calls are the last ones, for the status; nil: they are not known.
	Calls *calls.Recent
	// Close is called once ABS is not asked by this target any more; nil: nothing is to be done.
	Close func()
}

// ABS is the consumer contract for ABS; *abs.Client is one.
type ABS interface {
	Tokens(ctx context.Context, w abs.Window, row func(*abs.Row) error) (abs.Summary, error)
	findings.Reporter
}

// Publisher receives the snapshots of a target as they are committed; *metrics.Exposition is one.
type Publisher interface {
	Publish(target string, s *metrics.Snapshot)
}

// Clock is the time that the collector lives in. Tests pass one that runs faster.
type Clock interface {
	Now() time.Time
	// Sleep returns early, with the context's error, when ctx ends.
	Sleep(ctx context.Context, d time.Duration) error
}

// SystemClock is the machine's own time.
type SystemClock struct{}

// Now implements Clock.
func (SystemClock) Now() time.Time { return time.Now() }

// Sleep implements Clock.
func (SystemClock) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
