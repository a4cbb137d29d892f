package check

import (
	"context"
	"net"
	"net/url"
)

// configuration passes on what is doubtful in valid settings.
func (i *inspection) configuration(_ context.Context, a *Answer) {
	for _, w := range i.settings.Warnings {
		a.fix("%s: %s: %s.", w.Setting, w.Detail, w.Consequence)
	}
	u, err := url.Parse(i.target.URL)
	switch {
	case err != nil: // impossible: it was validated
	case u.Scheme == "http" && !loopback(u.Hostname()):
		a.fix("ABS is asked over plain http: keys and tokens can be read by everyone on the way.")
	case i.target.TLS.InsecureSkipVerify:
		a.fix("The certificate of ABS is not checked: whoever stands in for ABS gets keys and tokens.")
		a.set("abs.tls.insecure-skip-verify", "false")
	}
	if a.State != Fix {
		a.found("It is valid, and nothing in it is doubtful.")
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// The keys that ABS ships with (ABS guide, "ABS users for API reports"): access key and secret key.
var shippedKeys = map[[2]string]string{
	{"abs_ak", "abs_sk"}:       "admin",
	{"abs_ak_ru", "abs_sk_ru"}: "restricted",
}

func (i *inspection) defaultKeys(_ context.Context, a *Answer) {
	access, secret, err := i.target.Keys.Keys()
	switch user, shipped := shippedKeys[[2]string{access, secret}]; {
	case err != nil:
		a.unknown("%s.", sentence(err.Error()))
	case shipped:
		a.fix("They are those of the %s user that every ABS ships with: whoever reaches ABS can read its reports.", user)
		a.found("Change them at ABS with cli.sh update_keys, then in the files of the exporter.")
	default:
		a.found("No.")
	}
}
