package findings

import (
	"context"
	"errors"
	"hash/maphash"
	"net/http"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// attackReports is what the attack list and the attack reports named so far.
type attackReports struct {
	inWindow  *tokenid.Filter      // tokens of the last window report
	handled   *tokenid.Filter      // entries that were passed to the planner and are still reported
	seen      *tokenid.Filter      // those of them that were reported in this round of the APIs
	partial   bool                 // a report could not be read in this round
	missing   map[string]time.Time // reports that this ABS does not have, and until when that is assumed
	next      int                  // index of the API whose report is read next
	entrySeed maphash.Seed
}

func newAttackReports() *attackReports {
	return &attackReports{
		inWindow: newFilter(), handled: newFilter(), seen: newFilter(),
		missing: map[string]time.Time{}, entrySeed: maphash.MakeSeed(),
	}
}

// readAttackReports reads the attack list, the report of attacks across APIs, and that of one API
// more each cycle, and gives the tokens that they name priority. For a restricted user, to whom ABS
// gives no forensics, they are the only source of findings.
func (f *Findings) readAttackReports(ctx context.Context) {
	r := f.reports
	if r == nil || f.paused() {
		return
	}
	window := abs.WindowUntil(f.cfg.Clock.Now(), f.cfg.Window)
	if f.cfg.Forensics != nil {
		f.readAttackReport(ctx, abs.ReportAttackList, "", func() error {
			_, err := f.cfg.AttackReports.AttackList(ctx, window, func(token []byte) error {
				id := f.cfg.Hash(token)
				f.prioritise(id, id, token)
				return nil
			})
			return err
		})
	}
	f.readAttacks(ctx, window, "")
	if apis := f.cfg.APIs(); len(apis) > 0 {
		f.readAttacks(ctx, window, apis[r.next%len(apis)])
		if r.next++; r.next%len(apis) != 0 {
			return
		}
	}
	// The round is complete. An entry that no report of it had may be prioritised anew.
	if !r.partial {
		r.handled, r.seen = r.seen, r.handled
	}
	r.seen.Clear()
	r.partial = false
}

// readAttacks reads the attack report of one API, or of those across APIs.
func (f *Findings) readAttacks(ctx context.Context, window abs.Window, api string) {
	scope := api
	if api == "" {
		scope = acrossAPIs
	}
	found := map[tokenid.ID][]Finding{}
	read := f.readAttackReport(ctx, abs.ReportAttack, api, func() error {
		_, err := f.cfg.AttackReports.Attacks(ctx, window, api, func(t abs.FlaggedToken) error {
			id := f.cfg.Hash(t.Token)
			f.prioritise(id, id^f.reports.entry(t.AttackType, scope), t.Token)
			if t.AttackType != "" && f.cfg.Forensics == nil {
				found[id] = append(found[id], Finding{Type: t.AttackType, API: scope})
			}
			return nil
		})
		return err
	})
	if read && f.cfg.Forensics == nil {
		f.emit(f.active.reportedFor(scope, found, window, f.cfg.Clock.Now()))
	}
}

// entry returns a number that distinguishes the attacks of one token.
func (r *attackReports) entry(attackType, api string) tokenid.ID {
	return tokenid.ID(maphash.String(r.entrySeed, attackType+"\x00"+api))
}

// prioritise passes a token to the planner whose entry is new and that is in the window: an attack
// list may hold hundreds of thousands of clients that were flagged once.
func (f *Findings) prioritise(id, entry tokenid.ID, token []byte) {
	r := f.reports
	switch {
	case f.cfg.Forensics == nil:
	case r.handled.Has(entry):
		r.seen.Add(entry)
	case r.inWindow.Has(id):
		if f.plan.AddPriority(id, token) {
			r.handled.Add(entry)
			r.seen.Add(entry)
		}
	}
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
		return true
	}
	f.reports.partial = true
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
			f.cfg.Log.Warn("attack report is not as published", "report", report, "err", err,
				"consequence", "forensics asks about the tokens concerned later, in round robin")
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
