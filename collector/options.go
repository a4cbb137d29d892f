package collector

import (
	"context"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/catalogue"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Options are the settings that all targets share; the flags of the same names are
// described in docs/configuration.md.
type Options struct {
	Interval    time.Duration // --collect.interval: between the starts of cycles
	Slot        time.Duration // --collect.slot
	Reread      time.Duration // --collect.reread
	Settle      time.Duration // --collect.settle
	Window      time.Duration // --collect.window
	Lookback    time.Duration // --collect.lookback
	MaxBackfill time.Duration // --collect.max-backfill

	Forensics     bool    // --forensics.enabled
	ForensicsRate float64 // --forensics.rate: calls a second
	// Catalogue has the severities of attack types (--forensics.severity). Not nil if any target has
	// Forensics.
	Catalogue *catalogue.Catalogue

	MaxTokens  int                // --series.max-tokens
	MaxValues  int                // --series.max-values
	Dimensions []ledger.Dimension // --series.dimensions
	Expire     time.Duration      // --series.expire

	Audit time.Duration // --audit.interval; 0: none

	StateDir string // --state.dir; empty: counters live in memory only

	// Events takes every attack and anomaly that begins or ends; nil: they are logged only.
	Events func(metrics.Event)
}

// Target is one ABS deployment.
type Target struct {
	Name     string         // value of the label target
	ABS      ABS            // whom to ask
	Location *time.Location // the zone in which ABS cuts its minutes; nil is UTC
	// Inclusive: ABS takes the minute of later_date into the window (--abs.window-end).
	Inclusive bool
	// Forensics is false for a restricted user: ABS hands it no forensics.
	Forensics bool
	// Hints reads ABS's cheap reports of suspects; nil: they are not asked for.
	AttackReports AttackReporter
	// ResponseCap is how large an answer ABS gives, in bytes (--abs.response-cap).
	ResponseCap int64
}

// ABS is what the collector needs of an ABS; *abs.Client is one.
type ABS interface {
	Tokens(ctx context.Context, w abs.Window, row func(*abs.Row) error) (abs.Summary, error)
	Forensics(ctx context.Context, w abs.Window, token []byte) (abs.Forensics, error)
}

// Publisher takes the snapshots of a target as they are committed;
// *metrics.Exposition is one.
type Publisher interface {
	Publish(target string, s *metrics.Snapshot)
}

// Clock is the time that the collector lives in. Tests hand in one that runs faster.
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
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
