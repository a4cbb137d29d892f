package collector

import (
	"log/slog"
	"sync"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/findings"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// ObserveCalls is for abs.Config.Observe: it records every request of a target's client in the
// health metrics, and logs what is odd about the answers.
func ObserveCalls(health *metrics.Health, target string, clock Clock, log *slog.Logger) func(abs.Call) {
	odd := oddities{log: log.With("target", target), clock: clock}
	return func(c abs.Call) {
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
		health.ReportLastSuccess.WithLabelValues(target, c.Report).Set(float64(clock.Now().UnixNano()) / 1e9)
		for reason, n := range map[abs.SkipReason]int64{
			abs.SkipToken: c.Skipped.Token, abs.SkipCount: c.Skipped.Count, abs.SkipShape: c.Skipped.Shape,
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

// wholeFor is how long no token report has rows that are left out until that is logged as over: the
// reports of a cycle are about different windows, and the nodes of an ABS may differ.
const wholeFor = time.Hour

// oddities logs what is odd about answers that were read all the same.
type oddities struct {
	log   *slog.Logger
	clock Clock

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
	now := o.clock.Now()
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

// recordUp sets abs_up once all reports were requested: set earlier, it would flap to 1 in every
// cycle before the failing report is requested.
func (t *target) recordUp(c *cycle) {
	if c.succeeded+c.failed == 0 {
		return
	}
	t.up = c.failed == 0
	up := 0.0
	if t.up {
		up = 1
	}
	t.health.Up.WithLabelValues(t.Name).Set(up)
}

func (t *target) recordHealth(now time.Time, f findings.Status) {
	slots := map[ledger.SlotState]int{}
	for _, s := range t.ledger.Slots(now) {
		slots[s.State]++
	}
	for _, state := range []ledger.SlotState{ledger.Open, ledger.Pending} {
		t.health.Slots.WithLabelValues(t.Name, string(state)).Set(float64(slots[state]))
	}
	for state, n := range map[string]int{
		metrics.ForensicsDue: f.Due, metrics.ForensicsCovered: f.Covered,
		metrics.ForensicsFailed: f.Failed, metrics.ForensicsSkipped: f.Skipped,
	} {
		t.health.ForensicsTokens.WithLabelValues(t.Name, state).Set(float64(n))
	}
	if !f.Oldest.IsZero() {
		t.health.ForensicsOldestAge.WithLabelValues(t.Name).Set(now.Sub(f.Oldest).Seconds())
	}
}

// recordConfig sets the durations that dashboards draw as limits.
func recordConfig(health *metrics.Health, target string, o *Options) {
	for setting, d := range map[string]time.Duration{
		metrics.SettingInterval: o.Interval, metrics.SettingSlot: o.Slot, metrics.SettingReread: o.Reread,
		metrics.SettingSettle: o.Settle, metrics.SettingWindow: o.Window, metrics.SettingExpire: o.Expire,
	} {
		health.ConfigSeconds.WithLabelValues(target, setting).Set(d.Seconds())
	}
}
