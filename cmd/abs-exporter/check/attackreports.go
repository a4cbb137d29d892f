package check

import (
	"context"
	"errors"

	"github.com/abs-exporter/abs-exporter/abs"
)

// attackAnswer is how ABS answered one of the attack reports.
type attackAnswer struct {
	name    string
	summary abs.AttackSummary
	shape   string
	err     error
}

// attackReports reads the attack list, and the attack reports across APIs and of one API.
func (i *inspection) attackReports(ctx context.Context, a *Answer) {
	w := abs.WindowUntil(i.present(), i.target.Collect.Window)
	var all []attackAnswer
	ask := func(name string, send func(*abs.Client) (abs.AttackSummary, error)) {
		r := attackAnswer{name: name}
		r.err = i.asker.ask(w, "attack reports", func(c *abs.Client) (err error) {
			r.summary, err = send(c)
			return err
		})
		if r.err == nil {
			r.shape = i.asker.exchanges[len(i.asker.exchanges)-1].shape.text()
		}
		all = append(all, r)
	}
	flagged := func(abs.FlaggedToken) error { return nil }
	ask("The attack list", func(c *abs.Client) (abs.AttackSummary, error) {
		return c.AttackList(ctx, w, func([]byte) error { return nil })
	})
	ask("The attack report across APIs", func(c *abs.Client) (abs.AttackSummary, error) { return c.Attacks(ctx, w, "", flagged) })
	if i.api != "" {
		ask("The attack report of one API", func(c *abs.Client) (abs.AttackSummary, error) { return c.Attacks(ctx, w, i.api, flagged) })
	}
	attackReportsAnswer(a, all, i.target.Forensics.AttackReports)
}

func attackReportsAnswer(a *Answer, all []attackAnswer, enabled bool) {
	given := 0
	for _, r := range all {
		switch {
		case errors.Is(r.err, errCalls):
			a.unknown("%s: not asked: %s.", r.name, failure(r.err))
		case r.err != nil:
			a.found("%s: not given: %s.", r.name, failure(r.err))
		default:
			given++
			a.found("%s: %s in %s; %s. Its shape: %s", r.name, counted(r.summary.Tokens, "token", "tokens"),
				counted(r.summary.Lists, "list", "lists"), size(r.summary.Bytes), r.shape)
			if r.summary.Unread > 0 {
				a.fix("%s of its entries name no token that the exporter finds: send a --report to its maintainers.", number(r.summary.Unread))
			}
		}
	}
	switch {
	case given == 0 && enabled && a.State != Unknown:
		a.fix("ABS gives none of them: the exporter requests them in each cycle for nothing. Forensics still finds attacks, token by token.")
		a.set("forensics.attack-reports", "false")
	case given > 0 && !enabled:
		a.found("They are turned off (--forensics.attack-reports): with them, flagged tokens are found sooner.")
	}
}
