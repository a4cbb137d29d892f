// Package calls turns the requests of a client of ABS into health metrics, and into log lines about
// answers that are odd.
package calls

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/reports"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Observe is for abs.Config.Observe: it records every request of a target's client in the health
// metrics, and logs what is odd about the answers. A request that the exporter itself cut, at the
// end or by a reload, is no failure of ABS.
func Observe(health *metrics.Health, target string, now func() time.Time, log *slog.Logger) func(abs.Call) {
	odd := oddities{log: log.With("target", target), now: now}
	turn := rotation{log: odd.log}
	return func(c abs.Call) {
		if errors.Is(c.Err, context.Canceled) {
			return
		}
		health.ReportDuration.WithLabelValues(target, c.Report).Observe(c.Duration.Seconds())
		health.ReportBytes.WithLabelValues(target, c.Report).Add(float64(c.Bytes))
		if !c.CertificateExpires.IsZero() {
			health.CertificateExpiry.WithLabelValues(target).Set(float64(c.CertificateExpires.Unix()))
		}
		if c.Repeated {
			health.ReportRepeats.WithLabelValues(target, c.Report).Inc()
		}
		if c.Err != nil {
			health.ReportFailures.WithLabelValues(target, c.Report, string(abs.ReasonOf(c.Err))).Inc()
			return
		}
		turn.report(c.OldCredentials)
		health.ReportLastSuccess.WithLabelValues(target, c.Report).Set(float64(now().UnixNano()) / 1e9)
		for reason, n := range map[reports.SkipReason]int64{
			reports.SkipToken: c.Skipped.Token, reports.SkipCount: c.Skipped.Count, reports.SkipShape: c.Skipped.Shape,
		} {
			if n > 0 {
				health.ReportRowsSkipped.WithLabelValues(target, c.Report, string(reason)).Add(float64(n))
			}
		}
		if c.OtherDates {
			health.ReportMismatches.WithLabelValues(target, c.Report, metrics.MismatchDates).Inc()
		}
		if c.OtherToken {
			health.ReportMismatches.WithLabelValues(target, c.Report, metrics.MismatchToken).Inc()
		}
		odd.report(c)
	}
}

// rotation logs that what the files hold is refused, while what they held before is accepted.
type rotation struct {
	log *slog.Logger
	old atomic.Bool
}

func (r *rotation) report(old bool) {
	switch {
	case r.old.Swap(old) == old:
	case old:
		r.log.Warn("changed keys refused", "consequence", "those before the change are sent, as long as ABS accepts them and this process runs; "+
			"the changed ones are tried again every minute; look at the files of keys, headers, password and token, and at ABS")
	default:
		r.log.Info("changed keys accepted", "consequence", "those before the change are not sent any more")
	}
}

// wholeFor is how long no token report has rows that are left out until that is logged as over: the
// reports of a cycle are about different windows, and the nodes of an ABS may differ.
const wholeFor = time.Hour

// oddities logs what is odd about answers that were read all the same.
type oddities struct {
	log *slog.Logger
	now func() time.Time

	mu     sync.Mutex
	logged map[string]bool // what is logged once, by message and report
	// Token reports with rows that were left out: since when, the last, and the rows of all; zero
	// while all are whole.
	since, last time.Time
	rows        int64
}

func (o *oddities) report(c abs.Call) {
	if c.Report == abs.ReportTokens {
		o.rowsSkipped(c)
	} else if c.Skipped.Rows() > 0 && o.first("metrics skipped", c.Report) { // one for each of many tokens
		o.log.Warn("metrics skipped", "report", c.Report, "err", c.Skipped.First,
			"consequence", "none for attacks and anomalies; logged once, counted in abs_exporter_report_rows_skipped_total")
	}
	const counted = "it is counted as it stands; logged once, counted in abs_exporter_report_mismatches_total"
	if c.OtherDates && o.first("report about other dates", c.Report) {
		o.log.Warn("report about other dates", "report", c.Report, "consequence", counted+"; check --abs.timezone and --abs.window-end")
	}
	if c.OtherToken && o.first("report about another token", c.Report) {
		o.log.Warn("report about another token", "report", c.Report, "consequence", counted)
	}
}

// rowsSkipped logs when rows of token reports begin to be left out, and when that is over.
func (o *oddities) rowsSkipped(c abs.Call) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	switch n := c.Skipped.Rows(); {
	case n > 0:
		if o.since.IsZero() {
			o.since = now
			o.log.Warn("rows skipped", "report", c.Report, "rows", n, "token", c.Skipped.Token, "count", c.Skipped.Count,
				"shape", c.Skipped.Shape, "err", c.Skipped.First,
				"consequence", "the other rows count; the requests of these are unattributed; counted in abs_exporter_report_rows_skipped_total, and logged again when it is over")
		}
		o.last, o.rows = now, o.rows+n
	case !o.since.IsZero() && now.Sub(o.last).Abs() >= wholeFor:
		o.log.Info("no rows skipped any more", "report", c.Report, "after", o.last.Sub(o.since).Round(time.Second), "rows", o.rows)
		o.since, o.rows = time.Time{}, 0
	}
}

// first reports whether a message is logged for the first time.
func (o *oddities) first(message, report string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := message + report
	if o.logged[key] {
		return false
	}
	if o.logged == nil {
		o.logged = map[string]bool{}
	}
	o.logged[key] = true
	return true
}
