package check

import (
	"context"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/admin"
	"github.com/abs-exporter/abs-exporter/collector/absstate"
)

// licenceSoon is when the licence should be renewed.
const licenceSoon = 30 * 24 * time.Hour

// readAdmin reads the admin report, once.
func (i *inspection) readAdmin(ctx context.Context) *adminAnswer {
	if i.admin == nil {
		i.admin = &adminAnswer{}
		i.admin.err = i.asker.ask(abs.Window{}, "the admin report", func(c *abs.Client) (err error) {
			i.admin.Report, err = c.Admin(ctx)
			return err
		})
		for _, api := range i.admin.APIs {
			if i.api == "" && (api.TracksTokens == nil || *api.TracksTokens) {
				i.api = api.Name
			}
		}
	}
	return i.admin
}

func (i *inspection) licence(ctx context.Context, a *Answer) {
	report := i.readAdmin(ctx)
	if report.err != nil {
		noAdmin(a, report.err, i.target.Restricted(), i.target.AdminPath)
		return
	}
	licenceAnswer(a, &report.License, i.now())
}

// noAdmin says why there is no admin report.
func noAdmin(a *Answer, err error, restricted bool, path string) {
	switch {
	case restricted && abs.ReasonOf(err) == abs.ReasonAuth:
		a.unknown("ABS refuses the admin report to the restricted user.")
	case path != "":
		a.fix("The admin report cannot be read: %s. --abs.admin-path names its path; without it, both known ones are tried.", failure(err))
	default:
		a.unknown("The admin report cannot be read: %s. If ABS has it at another path, --abs.admin-path names it.", failure(err))
	}
}

func licenceAnswer(a *Answer, l *admin.License, now time.Time) {
	switch expired, left := l.Expired != nil && *l.Expired, l.Expiry.Sub(now); {
	case expired || !l.Expiry.IsZero() && left < 0:
		a.fix("No, it has expired%s: ABS processes nothing, and its reports stand still.", on(l.Expiry))
	case l.Expiry.IsZero() && l.Expired == nil:
		a.unknown("The admin report does not say.")
	case !l.Expiry.IsZero() && left < licenceSoon:
		a.fix("Yes%s, which is in %s.", until(l.Expiry), counted(int(left.Hours()/24), "day", "days"))
	default:
		a.found("Yes%s.", until(l.Expiry))
	}
	if l.Transactions != nil && l.MaxTransactions != nil && *l.MaxTransactions > 0 {
		share := 100 * float64(*l.Transactions) / float64(*l.MaxTransactions)
		text := "%s of %s transactions of this month are used (%.0f %%)."
		if share >= 90 {
			a.fix(text, number(*l.Transactions), number(*l.MaxTransactions), share)
		} else {
			a.found(text, number(*l.Transactions), number(*l.MaxTransactions), share)
		}
	}
}

func on(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " on " + t.UTC().Format(time.DateOnly)
}

func until(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return ", until " + t.UTC().Format(time.DateOnly)
}

func (i *inspection) training(ctx context.Context, a *Answer) {
	report := i.readAdmin(ctx)
	if report.err != nil {
		a.unknown("The admin report cannot be read.")
		return
	}
	status := absstate.StatusOf(&report.Report)
	var training []string
	for _, api := range report.APIs {
		if api.Prediction != nil && !*api.Prediction && !decoy(api) {
			training = append(training, api.Name)
		}
	}
	switch {
	case !status.Known:
		a.unknown("The admin report does not say.")
	case status.APIs == 0:
		a.fix("ABS has no APIs: no traffic reaches it.")
	case len(training) == status.APIs:
		a.fix("On none of %d: ABS detects no attack anywhere while it trains, or if training was never started.", status.APIs)
	case len(training) > 0:
		a.fix("On %d of %d; not on %s. No attack is detected there while ABS trains.", status.Predicting, status.APIs, quoted(training))
	default:
		a.found("On all of them: %d.", status.APIs)
	}
}

func decoy(api admin.API) bool {
	return absstate.StatusOf(&admin.Report{APIs: []admin.API{api}}).APIs == 0
}

func (i *inspection) tracking(ctx context.Context, a *Answer) {
	report := i.readAdmin(ctx)
	if report.err != nil {
		a.unknown("The admin report cannot be read.")
		return
	}
	status := absstate.StatusOf(&report.Report)
	not := len(status.NotTracking)
	switch {
	case status.TrackingTokens == 0 && not == 0:
		a.unknown("The admin report does not say.")
	case status.TrackingTokens == 0:
		a.fix("On none: the token reports stay empty, and the exporter has nothing to count.")
		a.found("Set oauth2_access_token in the API's JSON at ASE, on each API that gets tokens.")
	case not > 0:
		a.found("On %d of %d; not on %s. Requests there are in no token report, which is right for APIs without OAuth2 tokens.",
			status.TrackingTokens, status.APIs, quoted(status.NotTracking))
	default:
		a.found("On all of them: %d.", status.TrackingTokens)
	}
}
