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
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
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

// targetFailf reports a problem with a setting of an entry of the list targets.
func (v *validation) targetFailf(target int, name, format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf("%s: %s", v.origins.of(target, name), fmt.Sprintf(format, args...)))
}

func (v *validation) err() error { return errors.Join(v.errs...) }

// validate validates the settings of serve.
func (s *Settings) validate(v *validation) {
	s.Targets = s.targets(v)
	s.validateShared(v)
	s.doubtful(v)
}

// validateShared validates what all targets share.
func (s *Settings) validateShared(v *validation) {
	s.Collect.validate(v)
	s.Series.validate(v)
	s.TokenDimensions = s.Series.dimensions(v)
	s.Web.validate(v)
	s.OTLP.validate(v)
	if s.Audit.Interval < 0 {
		v.failf("audit.interval", "must not be negative; 0s turns the audit off")
	}
	positive(v.failf, "admin.interval", s.Admin.Interval)
	var err error
	if s.Catalogue, err = catalogue.New(s.Forensics.Severity); err != nil {
		v.failf("forensics.severity", "%s", err)
	}
	if isRate(v.failf, "forensics.rate", s.Forensics.Rate) && s.Forensics.Rate <= 0 {
		v.failf("forensics.rate", "must be above 0; to request no forensics, use --no-forensics.enabled")
	}
}

func (c *Collect) validate(v *validation) {
	const day = 24 * time.Hour
	minutes := func(d time.Duration) bool { return d%time.Minute == 0 }
	positive(v.failf, "collect.interval", c.Interval)
	switch {
	case c.Slot < time.Minute || !minutes(c.Slot) || day%c.Slot != 0:
		v.failf("collect.slot", "must be whole minutes that divide a day, such as 10m, 30m or 1h, but is %s", c.Slot)
		return // the rules below would only repeat it
	case c.Interval > c.Slot:
		v.failf("collect.interval", "must not be longer than a slot (%s) but is %s", c.Slot, c.Interval)
	}
	if c.Reread < c.Interval {
		v.failf("collect.reread", "must not be shorter than the interval (%s) but is %s", c.Interval, c.Reread)
	}
	notNegative(v.failf, "collect.settle", c.Settle)
	switch {
	case c.Window < c.Slot:
		v.failf("collect.window", "must not be shorter than a slot (%s) but is %s", c.Slot, c.Window)
	case !minutes(c.Window):
		v.failf("collect.window", "must be whole minutes but is %s", c.Window)
	}
	if least := c.Settle + c.Slot; c.MaxBackfill < least {
		v.failf("collect.max-backfill", "must not be shorter than settle time and slot together (%s) but is %s", least, c.MaxBackfill)
	}
	notNegative(v.failf, "collect.lookback", c.Lookback)
	if c.Lookback > max(c.MaxBackfill, 0) {
		v.failf("collect.lookback", "must not be longer than --collect.max-backfill (%s) but is %s", c.MaxBackfill, c.Lookback)
	}
}

// maxMaxTokens is more tokens than an ABS has in a window, and than a Prometheus can hold.
const maxMaxTokens = 10_000_000

// maxMaxValues is more values of one label than a Prometheus can hold for each token.
const maxMaxValues = 1_000_000

func (f *Series) validate(v *validation) {
	notNegative(v.failf, "series.max-tokens", f.MaxTokens)
	if f.MaxTokens > maxMaxTokens {
		v.failf("series.max-tokens", "must be %d or less but is %d", maxMaxTokens, f.MaxTokens)
	}
	if f.MaxValues < 1 {
		v.failf("series.max-values", "must be 1 or more but is %d", f.MaxValues)
	}
	if f.MaxValues > maxMaxValues {
		v.failf("series.max-values", "must be %d or less but is %d", maxMaxValues, f.MaxValues)
	}
	positive(v.failf, "series.expire", f.Expire)
	if f.TokenKeyFile != "" {
		if _, err := ReadTokenKey(f.TokenKeyFile); err != nil {
			v.failf("series.token-key-file", "%s", err)
		}
	}
}

func (f *Series) dimensions(v *validation) (dimensions []counts.Dimension) {
	all := counts.Dimensions()
	for _, name := range f.Dimensions {
		i := slices.IndexFunc(all, func(d counts.Dimension) bool { return d.String() == name })
		switch {
		case name == "":
		case i < 0:
			v.failf("series.dimensions", "unknown dimension %q; there are method, api, device, ip", name)
		case slices.Contains(dimensions, all[i]):
			v.failf("series.dimensions", "%q is named twice", name)
		default:
			dimensions = append(dimensions, all[i])
		}
	}
	return dimensions
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
	case path == "/" || path == HealthPath || path == ReadyPath || strings.HasPrefix(path+"/", RunbooksPath):
		v.failf("web.telemetry-path", "%s serves another page", path)
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
