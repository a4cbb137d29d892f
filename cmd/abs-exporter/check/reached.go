package check

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
)

// reached sends the first request: the token report of ten settled minutes.
func (i *inspection) reached(ctx context.Context, a *Answer) {
	to := i.settled()
	i.first = i.asker.tokens(ctx, abs.Window{From: to.Add(-10 * time.Minute), To: to}, "a report of ten minutes", noRow)
	if skew, _, ok := i.first.call.Clock.Skew(); ok {
		i.ahead = skew
	}
	route := "directly"
	if proxy := i.asker.client.Proxy(); proxy != "" {
		route = "through the proxy " + proxy
	}
	reachedAnswer(a, i.target.URL, route, i.first)
	if a.State != "" && !tooLarge(i.first.err) {
		i.stopped = "ABS gave no report"
	}
}

// reachedAnswer says whether ABS answers at all, and what is wrong where it does not.
func reachedAnswer(a *Answer, target, route string, r reading) {
	status := r.call.Status
	switch e := (*abs.Error)(nil); {
	case r.err == nil:
		a.found("Yes, %s: it answered within %s.", route, duration(r.call.Duration))
	case tooLarge(r.err):
		a.found("Yes, %s; but its report of ten minutes is too large: see below.", route)
	case status == http.StatusOK && abs.ReasonOf(r.err) == abs.ReasonTimeout:
		a.fix("Yes, %s; but its report of ten minutes was not complete within the time limit (%s).", route, duration(r.call.Duration))
		a.set("abs.timeout", length(2*r.call.Duration.Round(time.Second)))
	case len(r.call.Certificates) > 0 && status == 0:
		a.unknown("Its host answers, %s, but its certificate is refused: see the next question.", route)
	case !errors.As(r.err, &e) || status == 0:
		a.fix("No, %s: %s.", route, failure(r.err))
		if e != nil && e.Reason == abs.ReasonTimeout {
			a.found("Look at firewalls, and at the proxy: --abs.proxy-url, or HTTPS_PROXY and NO_PROXY.")
		}
	case e.Reason == abs.ReasonAuth:
		a.found("Yes, %s: it answered within %s.", route, duration(r.call.Duration))
	case status == http.StatusNotFound:
		a.fix("Something answers, %s, but it has no report at %s: status 404.", route, e.Place)
		missingPath(a, target)
	case status == http.StatusProxyAuthRequired:
		a.fix("No, %s: %s.", route, failure(r.err))
	case status >= 300 && status <= 399:
		a.fix("It redirects: %s. Give the URL that it redirects to.", failure(r.err))
	case status >= 500:
		a.fix("It answers, %s, but not with a report: %s. Is ABS started, and its MongoDB?", route, failure(r.err))
	default:
		a.fix("Something answers, %s, but not with a report: %s.", route, failure(r.err))
	}
}

// missingPath says what may be wrong with the path of a URL that has no reports below it.
func missingPath(a *Answer, target string) {
	u, err := url.Parse(target)
	if err != nil {
		return
	}
	for _, report := range []string{"/v4/abs", "/v5/abs"} {
		if before, _, found := strings.Cut(u.Path, report); found {
			u.Path = before
			a.found("The URL is the base, without %s: the exporter adds it.", report)
			a.set("abs.url", u.String())
			return
		}
	}
	a.found("If a gateway has ABS below a path, the URL ends with that path; and the port of ABS is 8080 as it ships.")
	u.Path = strings.TrimSuffix(u.Path, "/") + "/PATH"
	a.set("abs.url", u.String())
}

// keys says whether ABS accepts the keys. Where it refuses them, it is asked once more as the other
// user, whose headers have other names.
func (i *inspection) keys(ctx context.Context, a *Answer) {
	e := (*abs.Error)(nil)
	refused := errors.As(i.first.err, &e) && e.Reason == abs.ReasonAuth
	switch {
	case i.stopped != "":
		a.notAsked = i.stopped
		a.unknown("Not asked: %s.", i.stopped)
		return
	case !refused && i.target.Restricted():
		a.found("Yes, as those of the restricted user: ABS obfuscates tokens, and refuses forensics.")
		a.found("Attacks are known from attack reports only, without those per token; with the admin user's keys they are.")
		return
	case !refused:
		a.found("Yes, as those of the admin user.")
		return
	}
	i.stopped = "ABS refuses the keys"
	other, name := abs.Restricted, "restricted"
	if i.target.Restricted() {
		other, name = abs.Admin, "admin"
	}
	if err := i.asker.as(other); err != nil {
		a.fix("No: %s.", failure(i.first.err))
		return
	}
	w := abs.Window{From: i.settled().Add(-10 * time.Minute), To: i.settled()}
	second := i.asker.tokens(ctx, w, "the same as the other user", noRow)
	if second.err == nil {
		a.fix("They are not those of the %s user, as --abs.user says: ABS accepts them as those of the %s user.", i.target.User, name)
		a.set("abs.user", name)
		return
	}
	a.fix("No, neither as the admin user nor as the restricted one: %s.", failure(i.first.err))
	a.found("Compare them with those that cli.sh update_keys set at ABS; a key has no line break or blank around it.")
	if i.target.AccessKeyFile != "" {
		a.found("They are in %s and %s.", i.target.AccessKeyFile, i.target.SecretKeyFile)
	}
}
