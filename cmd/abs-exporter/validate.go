package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // an image from scratch has no zones of its own

	"github.com/alecthomas/kong"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/findings/catalogue"
)

// targetFlags is a target whose settings were checked.
type targetFlags struct {
	absFlags
	location *time.Location
	keys     abs.Keys
}

// problems gathers what is wrong, setting by setting.
type problems []problem

func (p *problems) addf(name, format string, args ...any) { p.atf(-1, name, format, args...) }

func (p *problems) atf(target int, name, format string, args ...any) {
	*p = append(*p, problem{target, name, fmt.Sprintf(format, args...)})
}

// check holds the settings of serve against the rules that flags alone cannot tell.
func (s *settings) check(in *invocation, ctx *kong.Context) ([]targetFlags, problems) {
	var p problems
	targets := s.checkTargets(in, ctx, &p)
	s.checkCommon(&p)
	return targets, p
}

// checkCommon checks what all targets share.
func (s *settings) checkCommon(p *problems) {
	s.Collect.check(p)
	s.Series.check(p)
	s.Web.check(p)
	s.OTLP.check(p)
	if s.Audit.Interval < 0 {
		p.addf("audit.interval", "must not be negative; 0s turns the audit off")
	}
	if _, err := catalogue.New(s.Forensics.Severity); err != nil {
		p.addf("forensics.severity", "%s", err)
	}
	if s.Forensics.Rate <= 0 {
		p.addf("forensics.rate", "must be above 0; to ask for no forensics, use --no-forensics.enabled")
	}
}

func (s *settings) checkTargets(in *invocation, ctx *kong.Context, p *problems) []targetFlags {
	if in.file == nil || in.file.targets == nil {
		if s.ABS.URL == "" {
			p.addf("abs.url", "is missing: give ABS's base URL, such as https://abs.example.com:8080, or try abs-exporter demo")
			return nil
		}
		return []targetFlags{s.ABS.check(-1, p)}
	}
	if s.ABS.URL != "" {
		p.addf("abs.url", "is given beside the list targets; only one of them may be")
	}
	flags := flagsByName(ctx.Flags())
	byName := map[string]int{}
	var targets []targetFlags
	for i, entry := range in.file.targets {
		f, err := entry.target(&s.ABS, flags)
		if err != nil { // the file's reader has read every value once before
			p.atf(i, "abs.url", "%s", err)
			continue
		}
		if f.URL == "" {
			p.atf(i, "abs.url", "is missing")
			continue
		}
		t := f.check(i, p)
		if first, twice := byName[t.Name]; twice && t.Name != "" {
			p.atf(i, "abs.name", "%q is the name of targets[%d] too; two targets need two names", t.Name, first)
		} else {
			byName[t.Name] = i
		}
		targets = append(targets, t)
	}
	return targets
}

// check checks one target. URL must not be empty.
func (f absFlags) check(i int, p *problems) targetFlags {
	t, before := targetFlags{absFlags: f}, len(*p)
	// The URL is not repeated in messages: one with a password in it is among the
	// mistakes that are told here.
	switch u, err := url.Parse(f.URL); {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		p.atf(i, "abs.url", "is no URL of the form https://host:port or http://host:port")
	case u.User != nil:
		p.atf(i, "abs.url", "must hold no user name or password; ABS takes keys: --abs.access-key-file")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		p.atf(i, "abs.url", "must have neither ? nor #")
	case f.Name == "":
		t.Name = u.Hostname()
	}
	switch loc, err := time.LoadLocation(f.Timezone); {
	case f.Timezone == "" || f.Timezone == "Local":
		p.atf(i, "abs.timezone", "%q is no name of a zone; name it, such as Asia/Kolkata", f.Timezone)
	case err != nil:
		p.atf(i, "abs.timezone", "unknown time zone %q", f.Timezone)
	default:
		t.location = loc
	}
	positive(p, i, "abs.timeout", f.Timeout)
	if !(f.Rate > 0) {
		p.atf(i, "abs.rate", "must be above 0")
	}
	if f.Concurrency < 1 {
		p.atf(i, "abs.concurrency", "must be 1 or more")
	}
	if f.ResponseCap < 1 {
		p.atf(i, "abs.response-cap", "must be above 0")
	}
	switch {
	case f.TLS.CertFile != "" && f.TLS.KeyFile == "":
		p.atf(i, "abs.tls.key-file", "is missing beside abs.tls.cert-file")
	case f.TLS.CertFile == "" && f.TLS.KeyFile != "":
		p.atf(i, "abs.tls.cert-file", "is missing beside abs.tls.key-file")
	}
	t.keys = f.readKeys(i, p)
	if len(*p) == before {
		t.checkClient(i, p)
	}
	return t
}

// checkClient lets the client check what it alone knows: files and fingerprints.
// Nothing is asked of ABS for it.
func (t targetFlags) checkClient(i int, p *problems) {
	client, err := abs.NewClient(t.clientConfig())
	if err == nil {
		client.Close()
		return
	}
	name, text := "abs.url", err.Error()
	if wrong := (*abs.ConfigError)(nil); errors.As(err, &wrong) {
		text = wrong.Detail
		if n, ok := fieldFlags()[wrong.Field]; ok {
			name = n
		}
	}
	p.atf(i, name, "%s", text)
}

// fieldFlags are the flags behind the fields of abs.Config.
func fieldFlags() map[string]string {
	return map[string]string{
		"Keys": "abs.access-key-file", "Timeout": "abs.timeout", "Rate": "abs.rate",
		"Concurrency": "abs.concurrency", "ResponseCap": "abs.response-cap",
		"TLS.CAFile": "abs.tls.ca-file", "TLS.CertFile": "abs.tls.cert-file", "TLS.KeyFile": "abs.tls.key-file",
		"TLS.ServerName": "abs.tls.server-name", "TLS.Fingerprint": "abs.tls.fingerprint",
		"TLS.InsecureSkipVerify": "abs.tls.insecure-skip-verify",
	}
}

// clientConfig is what the client is told of the target.
func (t targetFlags) clientConfig() abs.Config {
	config := abs.Config{
		URL:         t.URL,
		Keys:        t.keys,
		Location:    t.location,
		Timeout:     t.Timeout,
		Rate:        t.Rate,
		Concurrency: t.Concurrency,
		ResponseCap: int64(t.ResponseCap),
		TLS: abs.TLSConfig{
			CAFile: t.TLS.CAFile, CertFile: t.TLS.CertFile, KeyFile: t.TLS.KeyFile,
			ServerName: t.TLS.ServerName, Fingerprint: t.TLS.Fingerprint,
			InsecureSkipVerify: t.TLS.InsecureSkipVerify,
		},
	}
	if t.User == userRestricted {
		config.User = abs.Restricted
	}
	if t.WindowEnd == windowEndInclusive {
		config.WindowEnd = abs.Inclusive
	}
	return config
}

func positive(p *problems, target int, name string, d time.Duration) {
	if d <= 0 {
		p.atf(target, name, "must be above 0s but is %s", d)
	}
}

func (c *collectFlags) check(p *problems) {
	const day = 24 * time.Hour
	minutes := func(d time.Duration) bool { return d%time.Minute == 0 }
	positive(p, -1, "collect.interval", c.Interval)
	switch {
	case c.Slot < time.Minute || !minutes(c.Slot) || day%c.Slot != 0:
		p.addf("collect.slot", "must be whole minutes that divide a day, such as 10m, 30m or 1h, but is %s", c.Slot)
		return // the rules below would only repeat it
	case c.Interval > c.Slot:
		p.addf("collect.interval", "must not be longer than a slot (%s) but is %s", c.Slot, c.Interval)
	}
	if c.Reread < c.Interval {
		p.addf("collect.reread", "must not be shorter than the interval (%s) but is %s", c.Interval, c.Reread)
	}
	if c.Settle < 0 {
		p.addf("collect.settle", "must not be negative but is %s", c.Settle)
	}
	switch {
	case c.Window < c.Slot:
		p.addf("collect.window", "must not be shorter than a slot (%s) but is %s", c.Slot, c.Window)
	case !minutes(c.Window):
		p.addf("collect.window", "must be whole minutes but is %s", c.Window)
	}
	if least := c.Settle + c.Slot; c.MaxBackfill < least {
		p.addf("collect.max-backfill", "must not be shorter than settle time and slot together (%s) but is %s", least, c.MaxBackfill)
	}
	switch {
	case c.Lookback < 0:
		p.addf("collect.lookback", "must not be negative but is %s", c.Lookback)
	case c.Lookback > c.MaxBackfill:
		p.addf("collect.lookback", "must not be longer than --collect.max-backfill (%s) but is %s", c.MaxBackfill, c.Lookback)
	}
}

// dimensions are those that series per token can have.
func dimensions() []string { return []string{"method", "api", "device", "ip"} }

func (f *seriesFlags) check(p *problems) {
	if f.MaxTokens < 0 {
		p.addf("series.max-tokens", "must not be negative but is %d", f.MaxTokens)
	}
	if f.MaxValues < 1 {
		p.addf("series.max-values", "must be 1 or more but is %d", f.MaxValues)
	}
	f.Dimensions = slices.DeleteFunc(f.Dimensions, func(d string) bool { return d == "" })
	for i, d := range f.Dimensions {
		switch {
		case !slices.Contains(dimensions(), d):
			p.addf("series.dimensions", "unknown dimension %q; there are %s", d, strings.Join(dimensions(), ", "))
		case slices.Contains(f.Dimensions[:i], d):
			p.addf("series.dimensions", "%q is named twice", d)
		}
	}
	positive(p, -1, "series.expire", f.Expire)
	if f.TokenKeyFile != "" {
		if _, err := readTokenKey(f.TokenKeyFile); err != nil {
			p.addf("series.token-key-file", "%s", err)
		}
	}
}

func (f *webFlags) check(p *problems) {
	if len(f.ListenAddress) == 0 {
		p.addf("web.listen-address", "is missing")
	}
	for _, a := range f.ListenAddress {
		checkAddress(p, "web.listen-address", a)
	}
	if f.ProbeAddress != "" {
		checkAddress(p, "web.probe-address", f.ProbeAddress)
	}
	switch path := f.TelemetryPath; {
	case !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " {}?#%") || strings.Contains(path, "//") || strings.Contains(path, "/."):
		p.addf("web.telemetry-path", "must be a plain path that begins with / but is %q", path)
	case path == "/" || path == healthPath || path == readyPath:
		p.addf("web.telemetry-path", "%s serves another page", path)
	}
	if f.Config.File == "" {
		return
	}
	if _, err := os.Stat(f.Config.File); err != nil {
		p.addf("web.config.file", "%s", err)
	} else if err := web.Validate(f.Config.File); err != nil {
		p.addf("web.config.file", "%s: %s", f.Config.File, err)
	}
}

func checkAddress(p *problems, name, address string) {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil || port == "" {
		p.addf(name, "%q is no address of the form host:port or :port", address)
	}
}
