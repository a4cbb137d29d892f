package findings

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// attackReports is what the attack list and the attack reports named so far.
type attackReports struct {
	inWindow *tokenid.Filter       // tokens of the last window report
	handled  *tokenid.Filter       // tokens of the attack list that were passed to the planner
	missing  map[string]time.Time  // reports that this ABS does not have, and until when that is assumed
	apis     map[string]*apiReport // by API
}

// apiReport is the attack report of one API.
type apiReport struct {
	read  time.Time // when it was last read; zero: never
	first bool      // its last answer changed something, or is to be confirmed: it is read before others
}

func newAttackReports() *attackReports {
	return &attackReports{
		inWindow: newFilter(), handled: newFilter(),
		missing: map[string]time.Time{}, apis: map[string]*apiReport{},
	}
}

// readAttackReports reads the attack list, the report of attacks across APIs, and those of the APIs
// that are due: each within --collect.reread, within a quarter of a cycle's calls and of its time.
// The tokens that a report names with a type are flagged at once, and have priority with forensics.
// For a restricted user, to whom ABS refuses forensics, they are the only source of findings.
func (f *Findings) readAttackReports(ctx context.Context) {
	r := f.reports
	if r == nil || f.paused() {
		return
	}
	began := f.cfg.Clock.Now()
	window := abs.WindowUntil(began, f.cfg.Window)
	if f.cfg.Forensics != nil {
		f.readAttackList(ctx, window)
	}
	f.readAttacks(ctx, window, "")
	due := r.due(f.cfg.APIs(), began, f.cfg.Reread-f.cfg.Interval/2)
	most := max(1, int(f.cfg.Rate*f.cfg.Interval.Seconds()/4))
	for _, api := range due[:min(most, len(due))] {
		if ctx.Err() != nil || f.cfg.Clock.Now().Sub(began) > f.cfg.Interval/4 {
			return
		}
		f.readAttacks(ctx, window, api)
		f.cfg.Heartbeat()
	}
}

// due returns the APIs whose reports are due, in the order in which they are read: those that are
// read first, then the one that was not read for longest.
func (r *attackReports) due(apis []string, now time.Time, reread time.Duration) []string {
	known := make(map[string]*apiReport, len(apis))
	var due []string
	for _, api := range apis {
		report := r.apis[api]
		if report == nil {
			report = &apiReport{}
		}
		known[api] = report
		if report.first || now.Sub(report.read) >= reread {
			due = append(due, api)
		}
	}
	r.apis = known
	slices.SortStableFunc(due, func(a, b string) int {
		x, y := known[a], known[b]
		return cmp.Or(compareBool(y.first, x.first), x.read.Compare(y.read))
	})
	return due
}

// readAttackList gives the tokens of the attack list priority. It has neither types nor APIs, and
// may have hundreds of thousands of clients that were flagged once: a token has priority once, as
// long as it is in the list, and only if it is in the window.
func (f *Findings) readAttackList(ctx context.Context, window abs.Window) {
	r, listed := f.reports, newFilter()
	read := f.readAttackReport(ctx, abs.ReportAttackList, "", func() error {
		_, err := f.cfg.AttackReports.AttackList(ctx, window, func(token []byte) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			id := f.cfg.Hash(token)
			if r.handled.Has(id) || r.inWindow.Has(id) && f.plan.AddPriority(id, token) {
				listed.Add(id)
			}
			return nil
		})
		return err
	})
	if read {
		r.handled = listed
	}
}

// readAttacks reads the attack report of one API, or of those across APIs.
func (f *Findings) readAttacks(ctx context.Context, window abs.Window, api string) {
	scope := api
	if api == "" {
		scope = acrossAPIs
	}
	report := f.active.beginAttackReport(scope)
	read := f.readAttackReport(ctx, abs.ReportAttack, api, func() error {
		_, err := f.cfg.AttackReports.Attacks(ctx, window, api, func(t abs.FlaggedToken) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			id := f.cfg.Hash(t.Token)
			if t.AttackType != "" && report.add(id, t.AttackType, t.LastAccess) && f.cfg.Forensics != nil {
				f.plan.AddPriority(id, t.Token)
			}
			return nil
		})
		return err
	})
	if !read {
		return
	}
	now := f.cfg.Clock.Now()
	events, again := report.done(window, f.cfg.Ambiguous(window), now)
	if of := f.reports.apis[api]; of != nil {
		of.read, of.first = now, again || len(events) > 0
	}
	f.answered = now
	f.emit(events)
}

// readAttackReport reads one of the reports, about an API or none, and reports whether it was read.
// A failure is no failed cycle; an ABS that answers with something else is not asked for the report
// for the length of a window.
func (f *Findings) readAttackReport(ctx context.Context, report, api string, read func() error) bool {
	now := f.cfg.Clock.Now()
	if now.Before(f.reports.missing[report]) {
		return false
	}
	err := ctx.Err()
	if err == nil {
		err = read()
	}
	if err == nil {
		delete(f.reports.missing, report)
		f.cfg.Answered(report)
		return true
	}
	var e *abs.Error
	if ctx.Err() != nil || !errors.As(err, &e) {
		return false
	}
	switch {
	case e.RetryAfter > 0:
		f.pauseFor(e.RetryAfter)
	case api == "" && isMissing(e):
		_, logged := f.reports.missing[report]
		f.reports.missing[report] = now.Add(f.cfg.Window)
		if !logged {
			f.cfg.Failed(report, err, "this ABS does not have it as it is published; forensics asks about the tokens concerned later, in round robin")
		}
	default:
		f.cfg.Log.Debug("attack report failed", "report", report, "err", err)
	}
	return false
}

// isMissing reports whether an error is the answer of an ABS that has no such report, or another
// one.
func isMissing(e *abs.Error) bool {
	switch e.Reason {
	case abs.ReasonDecode:
		return !e.Truncated
	case abs.ReasonStatus:
		return e.Status < 500 && e.Status != http.StatusRequestTimeout && e.Status != http.StatusTooManyRequests
	default:
		return false
	}
}
