package collector

import (
	"context"
	"errors"
	"hash/maphash"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Hinter is what hints need of an ABS; *abs.Client is one.
type Hinter interface {
	AttackList(ctx context.Context, w abs.Window, hint func(token []byte) error) (abs.HintSummary, error)
	Attacks(ctx context.Context, w abs.Window, api string, hint func(abs.Hint) error) (abs.HintSummary, error)
}

// acrossAPIs is ABS's own word for an attack that no single API saw.
const acrossAPIs = "all"

// hints is what ABS's cheap reports said so far.
type hints struct {
	inWindow *filter         // tokens of the last window report
	handled  *filter         // hints that were passed on and are still told
	without  map[string]bool // reports that this ABS does not give
	next     int             // the API whose attack report is read next
	seed     maphash.Seed
}

func newHints() *hints {
	return &hints{inWindow: newFilter(), handled: newFilter(), without: map[string]bool{}, seed: maphash.MakeSeed()}
}

// readHints reads the attack list, the attacks across APIs, and those of one API more
// each cycle, and puts the tokens they name to the front. For a restricted user, whom
// ABS hands no forensics, they are all there is to know of attacks.
func (t *target) readHints(ctx context.Context) {
	if t.hints == nil || ctx.Err() != nil {
		return
	}
	to := t.clock.Now().Truncate(time.Minute)
	window := abs.Window{From: to.Add(-t.o.Window).Truncate(time.Minute), To: to}
	still := newFilter()
	if t.Forensics {
		t.hintReport(ctx, metrics.ReportAttackList, func() error {
			_, err := t.Hints.AttackList(ctx, window, func(token []byte) error {
				id := t.ids.id(token)
				t.hint(id, id, token, still)
				return nil
			})
			return err
		})
	}
	t.readAttacks(ctx, window, "", still)
	if apis := t.ledger.Values(ledger.API); len(apis) > 0 {
		t.readAttacks(ctx, window, apis[t.hints.next%len(apis)], still)
		t.hints.next++
	}
	t.hints.handled = still
}

// readAttacks reads the attack report of one API, or of those across APIs.
func (t *target) readAttacks(ctx context.Context, window abs.Window, api string, still *filter) {
	scope := api
	if api == "" {
		scope = acrossAPIs
	}
	found := map[ledger.TokenID][]finding{}
	read := t.hintReport(ctx, metrics.ReportAttack, func() error {
		_, err := t.Hints.Attacks(ctx, window, api, func(h abs.Hint) error {
			id := t.ids.id(h.Token)
			t.hint(id, id^t.hints.of(h.AttackType, scope), h.Token, still)
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
func (h *hints) of(attackType, api string) ledger.TokenID {
	return ledger.TokenID(maphash.String(h.seed, attackType+"\x00"+api))
}

// hint passes a token on that was not hinted at before and is in the window: an attack
// list may hold hundreds of thousands of clients that were suspects once.
func (t *target) hint(id, what ledger.TokenID, token []byte, still *filter) {
	switch {
	case !t.Forensics:
	case t.hints.handled.has(what):
		still.add(what)
	case t.hints.inWindow.has(id):
		if t.forensics.plan.Hint(id, token) {
			still.add(what)
		}
	}
}

// hintReport reads one of the reports and tells whether it was read. A hint that fails
// is no failed cycle; an ABS that answers with something else is asked no more.
func (t *target) hintReport(ctx context.Context, report string, read func() error) bool {
	if t.hints.without[report] || ctx.Err() != nil {
		return false
	}
	err := read()
	if err == nil {
		return true
	}
	var e *abs.Error
	if ctx.Err() != nil || !errors.As(err, &e) {
		return false
	}
	switch {
	case e.RetryAfter > 0:
		t.forensics.until = t.clock.Now().Add(min(e.RetryAfter, t.o.Window))
	case e.Reason == abs.ReasonDecode && !e.Truncated, e.Reason == abs.ReasonStatus && e.Status < 500:
		t.hints.without[report] = true
		t.log.Warn("this ABS does not give a report of suspects as it is published; going on without its hints",
			"report", report, "err", err, "consequence", "forensics comes to the tokens concerned later, in turn")
	default:
		t.log.Debug("a report of suspects could not be read", "report", report, "err", err)
	}
	return false
}
