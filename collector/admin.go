package collector

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/admin"
	"github.com/abs-exporter/abs-exporter/collector/absstate"
	"github.com/abs-exporter/abs-exporter/collector/failures"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// adminTimeout bounds a request for the admin report: it is small, and findings wait for it.
const adminTimeout = 15 * time.Second

// AdminReporter requests ABS's own state; *abs.Client is one.
type AdminReporter interface {
	Admin(ctx context.Context) (admin.Report, error)
}

// adminReport polls ABS's own state. Nothing else depends on it: its failures affect neither abs_up
// nor another report.
type adminReport struct {
	*wiring
	changed func() // publishes the gauges

	next    time.Time // when it is due
	read    time.Time // when the last answer was requested; zero: never
	exposed []metrics.Block
	status  absstate.Status

	failing  time.Time      // since when it fails; zero: it does not
	attempts int            // that failed since
	refusals int            // the last attempts that were refused or not found
	cause    failures.Cause // of the last failure since
	zone     string         // ABS's word for a time zone that is not ours, as last logged
	omitted  bool           // it was logged that a report has too many APIs or nodes
}

// poll implements report: it reads the admin report when it is due.
func (r *adminReport) poll(ctx context.Context, c *cycle) (publish bool) {
	wait := r.next.Sub(c.began) // longer than that after the clock was set back
	if r.Admin == nil || wait > 0 && wait <= max(r.options.Window, r.options.AdminInterval) {
		return false
	}
	if r.next = r.next.Add(r.options.AdminInterval); !r.next.After(c.began) || wait > 0 {
		r.next = c.began.Add(r.options.AdminInterval)
	}
	began := r.clock.Now()
	bounded, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	a, err := r.Admin.Admin(bounded)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		r.failed(c, err)
	default:
		r.answered(began, &a)
		r.changed()
	}
	r.heartbeat()
	return false
}

// failed records a failure, and logs it if it is the first in a row, or if its reason is another
// one. A report that is refused or not found twice in a row, or that was never read, is not
// requested for a window; ABS may refuse it once while it restarts.
func (r *adminReport) failed(c *cycle, err error) {
	const (
		without = "ABS's licence, APIs and nodes are not known; their metrics keep their last value for --collect.window at most; all else goes on"
		leftOut = "; if it fails so twice in a row, or was never read, it is left out for --collect.window"
	)
	message, consequence := "admin report not read", without+"; it is tried again every --admin.interval"
	var e *abs.Error
	refused := abs.ReasonOf(err) == abs.ReasonAuth
	missing := errors.As(err, &e) && e.Status == http.StatusNotFound
	switch {
	case refused:
		message, consequence = "admin report refused", without+leftOut
	case missing:
		message, consequence = "admin report not found", without+leftOut+"; if ABS has it at another path, set --abs.admin-path"
	}
	if r.refusals++; !refused && !missing {
		r.refusals = 0
	}
	if r.refusals > 1 || r.refusals == 1 && r.read.IsZero() {
		r.next = c.began.Add(max(r.options.Window, r.options.AdminInterval))
	}
	if r.attempts++; r.attempts == 1 {
		r.failing = c.began
	}
	was := r.cause
	r.cause = failures.CauseOf(message, "", err)
	changed := was.Message != r.cause.Message || was.Reason != r.cause.Reason
	switch {
	case refused && !r.Forensics: // as the restricted user
		if changed {
			r.log.Info("admin report refused", "err", err, "consequence", consequence)
		}
	case changed:
		r.failures.Add(message, err, consequence)
	default:
		r.failures.Show(r.cause, message+": "+err.Error()+"; "+consequence)
	}
}

// answered records an answer.
func (r *adminReport) answered(began time.Time, a *admin.Report) {
	if r.attempts > 0 {
		r.log.Info("report recovered", "report", abs.ReportAdmin, "after", began.Sub(r.failing).Round(time.Second), "failures", r.attempts)
		r.attempts, r.refusals, r.failing, r.cause = 0, 0, time.Time{}, failures.Cause{}
	}
	if a.Omitted > 0 && !r.omitted {
		r.log.Warn("admin report has too many APIs or nodes", "omitted", a.Omitted,
			"consequence", "the last ones have no metrics")
	}
	r.read, r.omitted = began, a.Omitted > 0
	r.status = absstate.StatusOf(a)
	r.exposed = absstate.Gauges(r.Name, a)
	if a.Timezone != "" {
		r.compareZone(began, a.Timezone)
	}
}

// compareZone compares the time zone that ABS says it has with the configured one.
func (r *adminReport) compareZone(now time.Time, word string) {
	same, known := absstate.SameZone(word, r.Location, now)
	if !known {
		r.log.Debug("time zone of ABS not comparable", "abs_timezone", word)
		return
	}
	mismatch := int64(1)
	if same {
		mismatch = 0
	}
	r.exposed = append(r.exposed, absstate.Gauge(r.Name, metrics.TimezoneMismatch, mismatch, word))
	switch {
	case same && r.zone != "":
		r.log.Info("time zone of ABS is the configured one again", "abs_timezone", word)
		r.zone = ""
	case !same && r.zone != word:
		r.zone = word
		r.failures.Add("time zone of ABS is not the configured one",
			fmt.Errorf("ABS has %q, and --abs.timezone is %q", word, r.Location),
			"every window is shifted: requests are counted in wrong slots, and attacks may be missed; set --abs.timezone="+
				absstate.ZoneFlag(word))
	}
}

// fresh reports whether the last answer may still be shown.
func (r *adminReport) fresh(now time.Time) bool {
	return !r.read.IsZero() && now.Sub(r.read) <= r.options.Window
}

// gauges returns what may still be exposed of the last answer.
func (r *adminReport) gauges(now time.Time) []metrics.Block {
	if !r.fresh(now) {
		return nil
	}
	return r.exposed
}

// statusAt returns what the status page may still show of the last answer.
func (r *adminReport) statusAt(now time.Time) absstate.Status {
	if !r.fresh(now) {
		return absstate.Status{}
	}
	return r.status
}
