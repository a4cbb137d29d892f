package config

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // an image from scratch has no zones of its own

	"github.com/alecthomas/kong"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/abs-exporter/abs-exporter/collector/findings/catalogue"
)

// validation collects all that is wrong with the settings of one command.
type validation struct {
	origins  origins
	flags    map[string]*kong.Flag // of the command
	now      time.Time
	errs     []error
	warnings []Warning
}

// noTarget stands for an index in the list targets where a setting is in none of its entries.
const noTarget = -1

// failf reports a problem with a setting, by the name of its flag.
func (v *validation) failf(name, format string, args ...any) {
	v.targetFailf(noTarget, name, format, args...)
}

// targetFailf reports a problem with a setting of an entry of the list targets. A shared setting
// that is wrong is reported once. One that is wrong in the entry only, beside a setting of the
// entry's own, is reported with the entry.
func (v *validation) targetFailf(target int, name, format string, args ...any) {
	text := v.origins.of(target, name) + ": " + fmt.Sprintf(format, args...)
	has := func(text string) bool {
		return slices.ContainsFunc(v.errs, func(err error) bool { return err.Error() == text })
	}
	if has(text) {
		return
	}
	if target != noTarget && !strings.HasPrefix(name, "abs.") && v.origins.shared(target, name) {
		text += fmt.Sprintf(", in targets[%d] on line %d", target, v.origins.file.Targets[target].Line)
	}
	v.errs = append(v.errs, errors.New(text))
}

func (v *validation) err() error { return errors.Join(v.errs...) }

// validate validates the settings of serve.
func (s *Settings) validate(v *validation) {
	s.validateShared(v)
	s.Targets = s.targets(v)
	s.doubtful(v)
}

// validateShared validates what all targets share, and what holds for those without their own.
func (s *Settings) validateShared(v *validation) {
	s.Shared = s.PerTarget.validate(v.failf)
	s.Web.validate(v)
	s.OTLP.validate(v)
	if s.Audit.Interval < 0 {
		v.failf("audit.interval", "must not be negative; 0s turns the audit off")
	}
	positive(v.failf, "admin.interval", s.Admin.Interval)
}

func (f *Forensics) validate(fail failure) *catalogue.Catalogue {
	types, err := catalogue.New(f.Severity)
	if err != nil {
		fail("forensics.severity", "%s", err)
	}
	if isRate(fail, "forensics.rate", f.Rate) && f.Rate <= 0 {
		fail("forensics.rate", "must be above 0; to request no forensics, use --no-forensics.enabled")
	}
	return types
}

func (c *Collect) validate(fail failure) {
	const day = 24 * time.Hour
	minutes := func(d time.Duration) bool { return d%time.Minute == 0 }
	positive(fail, "collect.interval", c.Interval)
	switch {
	case c.Slot < time.Minute || !minutes(c.Slot) || day%c.Slot != 0:
		fail("collect.slot", "must be whole minutes that divide a day, such as 10m, 30m or 1h, but is %s", c.Slot)
		return // the rules below would only repeat it
	case c.Interval > c.Slot:
		fail("collect.interval", "must not be longer than a slot (%s) but is %s", c.Slot, c.Interval)
	}
	if c.Reread < c.Interval {
		fail("collect.reread", "must not be shorter than the interval (%s) but is %s", c.Interval, c.Reread)
	}
	notNegative(fail, "collect.settle", c.Settle)
	switch {
	case c.Window < c.Slot:
		fail("collect.window", "must not be shorter than a slot (%s) but is %s", c.Slot, c.Window)
	case !minutes(c.Window):
		fail("collect.window", "must be whole minutes but is %s", c.Window)
	}
	if least := c.Settle + c.Slot; c.MaxBackfill < least {
		fail("collect.max-backfill", "must not be shorter than settle time and slot together (%s) but is %s", least, c.MaxBackfill)
	}
	notNegative(fail, "collect.lookback", c.Lookback)
	if c.Lookback > max(c.MaxBackfill, 0) {
		fail("collect.lookback", "must not be longer than --collect.max-backfill (%s) but is %s", c.MaxBackfill, c.Lookback)
	}
}

func (f *Web) validate(v *validation) {
	if len(f.ListenAddress) == 0 {
		v.failf("web.listen-address", "is missing")
	}
	for _, a := range f.ListenAddress {
		address(v.failf, "web.listen-address", a)
	}
	if f.ProbeAddress != "" {
		address(v.failf, "web.probe-address", f.ProbeAddress)
	}
	notNegative(v.failf, "web.max-requests", f.MaxRequests)
	switch path := f.TelemetryPath; {
	case !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " {}?#%") || strings.Contains(path, "//") || strings.Contains(path, "/."):
		v.failf("web.telemetry-path", "must be a plain path that begins with / but is %q", path)
	case slices.Contains(served(), path) || strings.HasPrefix(path+"/", RunbooksPath):
		v.failf("web.telemetry-path", "%s serves another page", path)
	}
	if f.EnablePprof && f.ProbeAddress == "" {
		v.failf("web.enable-pprof", "needs --web.probe-address: profiles are served on that listener only")
	}
	if f.SystemdSocket && v.origins.given("web.listen-address") {
		v.failf("web.systemd-socket", "cannot be used together with --web.listen-address: systemd has the addresses")
	}
	if f.Config.File == "" {
		return
	}
	if _, err := os.Stat(f.Config.File); err != nil {
		v.failf("web.config.file", "%s", err)
	} else if err := web.Validate(f.Config.File); err != nil {
		v.failf("web.config.file", "%s: %s", f.Config.File, err)
	}
}

// address reports an address that nobody can listen on.
func address(fail failure, name, address string) {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil || port == "" {
		fail(name, "%q is no address of the form host:port or :port", address)
	}
}

func positive(fail failure, name string, d time.Duration) {
	if d <= 0 {
		fail(name, "must be above 0s but is %s", d)
	}
}

func notNegative[T ~int | ~int64](fail failure, name string, value T) {
	if value < 0 {
		fail(name, "must not be negative but is %v", value)
	}
}

// both reports whether two settings that belong together are there, and which is missing if one is.
func both(fail failure, a, valueA, b, valueB string) bool {
	switch {
	case valueA != "" && valueB == "":
		fail(b, "is missing beside %s", a)
		return false
	case valueA == "" && valueB != "":
		fail(a, "is missing beside %s", b)
		return false
	}
	return true
}
