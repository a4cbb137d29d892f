package collector

import (
	"context"
	"errors"
	"hash/maphash"
	"net/http"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// AttackReporter is what hints need of an ABS; *abs.Client is one.
type AttackReporter interface {
	AttackList(ctx context.Context, w abs.Window, hint func(token []byte) error) (abs.AttackSummary, error)
	Attacks(ctx context.Context, w abs.Window, api string, hint func(abs.FlaggedToken) error) (abs.AttackSummary, error)
}

// acrossAPIs is ABS's own word for an attack that no single API saw.
const acrossAPIs = "all"

// hints is what ABS's cheap reports said so far.
type hints struct {
	inWindow *filter              // tokens of the last window report
	handled  *filter              // hints that were passed on and are still told
	still    *filter              // those of them that were told in this round of the APIs
	partial  bool                 // a report could not be read in this round
	without  map[string]time.Time // reports that this ABS does not give, and until when that is taken for true
	next     int                  // the API whose attack report is read next
	seed     maphash.Seed
}

func newHints() *hints {
	return &hints{
		inWindow: newFilter(), handled: newFilter(), still: newFilter(),
		without: map[string]time.Time{}, seed: maphash.MakeSeed(),
	}
}

// readHints reads the attack list, the attacks across APIs, and those of one API more
// each cycle, and puts the tokens they name to the front. For a restricted user, whom
// ABS hands no forensics, they are all there is to know of attacks.
func (t *target) readHints(ctx context.Context) {
	h, left := t.hints, nextCycle(t.cycle.began, t.o.Interval).Sub(t.clock.Now())
	if h == nil || ctx.Err() != nil || left <= 0 || t.clock.Now().Before(t.forensics.until) {
		return
	}
	ctx, cancel := t.untilNextCycle(ctx, left)
	defer cancel()
	to := t.clock.Now().Truncate(time.Minute)
	window := abs.Window{From: to.Add(-t.o.Window).Truncate(time.Minute), To: to}
	if t.Forensics {
		t.hintReport(ctx, metrics.ReportAttackList, "", func() error {
			_, err := t.AttackReports.AttackList(ctx, window, func(token []byte) error {
				id := t.ids.ID(token)
				t.hint(id, id, token)
				return nil
			})
			return err
		})
	}
	t.readAttacks(ctx, window, "")
	apis := t.ledger.Values(ledger.API)
	if len(apis) > 0 {
		t.readAttacks(ctx, window, apis[h.next%len(apis)])
		h.next++
	}
	if len(apis) > 0 && h.next%len(apis) != 0 {
		return
	}
	// A round is over. What no report of it told any more may be hinted at anew.
	if !h.partial {
		h.handled = h.still
	}
	h.still, h.partial = newFilter(), false
}

// readAttacks reads the attack report of one API, or of those across APIs.
func (t *target) readAttacks(ctx context.Context, window abs.Window, api string) {
	scope := api
	if api == "" {
		scope = acrossAPIs
	}
	found := map[tokenid.ID][]finding{}
	read := t.hintReport(ctx, metrics.ReportAttack, api, func() error {
		_, err := t.AttackReports.Attacks(ctx, window, api, func(h abs.FlaggedToken) error {
			id := t.ids.ID(h.Token)
			t.hint(id, id^t.hints.of(h.AttackType, scope), h.Token)
			if h.AttackType != "" && !t.Forensics {
				found[id] = append(found[id], finding{Type: h.AttackType, API: scope})
			}
			return nil
		})
		return err
	})
	if read && !t.Forensics {
		for _, e := range t.attacks.hinted(scope, found, window, t.clock.Now()) {
			t.event(e)
		}
	}
}

// of tells attacks on one token apart.
func (h *hints) of(attackType, api string) tokenid.ID {
	return tokenid.ID(maphash.String(h.seed, attackType+"\x00"+api))
}

// hint passes a token on that was not hinted at before and is in the window: an attack
// list may hold hundreds of thousands of clients that were suspects once.
func (t *target) hint(id, what tokenid.ID, token []byte) {
	switch {
	case !t.Forensics:
	case t.hints.handled.has(what):
		t.hints.still.add(what)
	case t.hints.inWindow.has(id):
		if t.forensics.plan.AddPriority(id, token) {
			t.hints.handled.add(what)
			t.hints.still.add(what)
		}
	}
}

// hintReport reads one of the reports, about an API or none, and tells whether it was
// read. A hint that fails is no failed cycle; an ABS that answers with something else is
// left alone with it for the length of a window.
func (t *target) hintReport(ctx context.Context, report, api string, read func() error) bool {
	now := t.clock.Now()
	if now.Before(t.hints.without[report]) {
		return false
	}
	err := ctx.Err()
	if err == nil {
		err = read()
	}
	if err == nil {
		return true
	}
	t.hints.partial = true
	var e *abs.Error
	if ctx.Err() != nil || !errors.As(err, &e) {
		return false
	}
	switch {
	case e.RetryAfter > 0:
		t.forensics.until = now.Add(min(e.RetryAfter, t.o.Window))
	case api == "" && notGiven(e):
		_, told := t.hints.without[report]
		t.hints.without[report] = now.Add(t.o.Window)
		if told {
			break
		}
		t.log.Warn("this ABS does not give a report of suspects as it is published; going on without its hints",
			"report", report, "err", err, "consequence", "forensics comes to the tokens concerned later, in turn")
	default:
		t.log.Debug("a report of suspects could not be read", "report", report, "err", err)
	}
	return false
}

// notGiven tells the answers of an ABS that has no such report, or another one.
func notGiven(e *abs.Error) bool {
	switch e.Reason {
	case abs.ReasonDecode:
		return !e.Truncated
	case abs.ReasonStatus:
		return e.Status < 500 && e.Status != http.StatusRequestTimeout && e.Status != http.StatusTooManyRequests
	default:
		return false
	}
}
