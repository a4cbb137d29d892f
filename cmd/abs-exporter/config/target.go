package config

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/configfile"
	"github.com/abs-exporter/abs-exporter/collector/findings/catalogue"
	"github.com/abs-exporter/abs-exporter/collector/fold"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// The keys of ABS come from files or from these variables. They are no flags, because every user of
// a machine can read the command lines of all processes.
const (
	envAccessKey = envPrefix + "_ABS_ACCESS_KEY"
	envSecretKey = envPrefix + "_ABS_SECRET_KEY"
)

// Target is one ABS deployment with valid settings.
type Target struct {
	ABS
	Collect   Collect
	Forensics Forensics
	Series    Series

	Location        *time.Location // of Timezone
	Keys            abs.Keys
	Catalogue       *catalogue.Catalogue // has the severities of Forensics.Severity
	TokenDimensions []counts.Dimension   // those of Series.Dimensions
	Choices         counts.Choices       // those of Series
	Excluded        []*metrics.Family    // those of Series.ExcludeFamilies
}

// SameSettings reports whether two targets are configured alike. Files that they name may differ.
func (t *Target) SameSettings(o *Target) bool {
	settings := func(t *Target) PerTarget { return PerTarget{t.ABS, t.Collect, t.Forensics, t.Series} }
	return reflect.DeepEqual(settings(t), settings(o))
}

// Restricted reports whether the keys are those of the restricted user.
func (f *ABS) Restricted() bool { return f.User == "restricted" }

// Inclusive reports whether the minute of later_date is in the window.
func (f *ABS) Inclusive() bool { return f.WindowEnd == "inclusive" }

// RequestLimit returns how long one request takes at most: its wait for those that were sent before
// it at --abs.rate, and --abs.timeout twice, as the client may repeat it once.
func (t *Target) RequestLimit() time.Duration {
	const most = 365 * 24 * time.Hour // of the wait
	wait := min(float64(t.Concurrency)/t.Rate, most.Seconds())
	return time.Duration(wait*float64(time.Second)) + 2*min(t.Timeout, most)
}

// ClientConfig returns the settings of the target's client.
func (t *Target) ClientConfig() abs.Config {
	config := abs.Config{
		URL:         t.URL,
		Keys:        t.Keys,
		Location:    t.Location,
		Timeout:     t.Timeout,
		Rate:        t.Rate,
		Concurrency: t.Concurrency,
		ResponseCap: int64(t.ResponseCap),
		AdminPath:   t.AdminPath,
		TLS:         abs.TLSConfig(t.TLS),
		Proxy:       abs.Proxy{URL: t.ProxyURL, PasswordFile: t.ProxyPasswordFile, NoProxy: t.NoProxy},
		Gateway: abs.Gateway{
			HeaderFiles: t.HeaderFile, BasicAuthUser: t.BasicAuth.User, BasicAuthPasswordFile: t.BasicAuth.PasswordFile,
			BearerTokenFile: t.BearerTokenFile,
		},
	}
	if slices.Contains(t.TokenDimensions, counts.URL) {
		config.URLs = fold.Path
	}
	if t.Restricted() {
		config.User = abs.Restricted
	}
	if t.Inclusive() {
		config.WindowEnd = abs.Inclusive
	}
	return config
}

// failure reports a problem with the setting of the given name.
type failure func(name, format string, args ...any)

// targets validates the list targets, or abs.* where there is none.
func (s *Settings) targets(v *validation) []Target {
	if v.origins.file.Targets == nil {
		if s.ABS.URL == "" {
			v.failf("abs.url", "is missing: give ABS's base URL, such as https://abs.example.com:8080, or try abs-exporter demo")
			return nil
		}
		t := s.Shared
		t.validateABS(v.failf, v)
		return []Target{t}
	}
	if s.ABS.URL != "" {
		v.failf("abs.url", "is given beside the list targets; only one of them may be")
	}
	byName := map[string]int{}
	var targets []Target
	for i, entry := range v.origins.file.Targets {
		fail := func(name, format string, args ...any) { v.targetFailf(i, name, format, args...) }
		f, err := s.ofTarget(entry, v.flags)
		switch {
		case err != nil: // impossible: it was decoded every value once
			fail("abs.url", "%s", err)
			continue
		case f.ABS.URL == "":
			fail("abs.url", "is missing")
			continue
		}
		t := f.validate(fail)
		t.validateABS(fail, v)
		if first, twice := byName[t.Name]; twice && t.Name != "" {
			fail("abs.name", "%q is the name of targets[%d] too; two targets need two names", t.Name, first)
		} else {
			byName[t.Name] = i
		}
		targets = append(targets, t)
	}
	return targets
}

// ofTarget returns the settings of an entry of the list targets: the shared ones, overridden by the
// entry's own. The shared ones, which are the flags' fields, are restored afterwards.
func (s *Settings) ofTarget(entry configfile.Target, flags map[string]*kong.Flag) (PerTarget, error) {
	before := s.PerTarget
	defer func() { s.PerTarget = before }()
	err := entry.Set(flags)
	return s.PerTarget, err
}

// validate returns a target with these settings. It validates all but those of its ABS.
func (f *PerTarget) validate(fail failure) (t Target) {
	t = Target{ABS: f.ABS, Collect: f.Collect, Forensics: f.Forensics, Series: f.Series}
	f.Collect.validate(fail)
	f.Series.validate(fail)
	t.TokenDimensions = f.Series.dimensions(fail)
	t.Choices = f.Series.choices(fail)
	t.Excluded = f.Series.excluded(fail)
	t.Catalogue = f.Forensics.validate(fail)
	return t
}

// validateABS validates the settings of a target's ABS, whose URL must not be empty.
func (t *Target) validateABS(fail failure, v *validation) {
	f, before := &t.ABS, len(v.errs)
	// The URL is not repeated in messages: it may hold a password.
	switch u, err := url.Parse(f.URL); {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		fail("abs.url", "is no URL of the form https://host:port or http://host:port")
	case u.User != nil:
		fail("abs.url", "must hold no user name or password; ABS takes keys: --abs.access-key-file")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		fail("abs.url", "must have neither ? nor #")
	case f.Name == "":
		f.Name = u.Hostname()
	}
	if err := metrics.CheckOwnLabels(f.Labels); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fail("abs.labels", "%s", line)
		}
	}
	t.Location = zone(fail, "abs.timezone", f.Timezone)
	positive(fail, "abs.timeout", f.Timeout)
	if isRate(fail, "abs.rate", f.Rate) && f.Rate <= 0 {
		fail("abs.rate", "must be above 0")
	}
	if f.Concurrency < 1 {
		fail("abs.concurrency", "must be 1 or more")
	}
	if f.ResponseCap < 1 {
		fail("abs.response-cap", "must be above 0")
	}
	both(fail, "abs.tls.cert-file", f.TLS.CertFile, "abs.tls.key-file", f.TLS.KeyFile)
	t.Keys = f.keys(fail)
	if len(v.errs) == before {
		t.validateClient(fail)
	}
}

// zone returns the time zone of the given name: an IANA name, or ABS's own spelling of UTC in its
// abs.properties, whose other value is local.
func zone(fail failure, setting, name string) *time.Location {
	switch loc, err := time.LoadLocation(name); {
	case strings.EqualFold(name, "utc"):
		return time.UTC
	case strings.EqualFold(name, "local"):
		fail(setting, "%q is ABS's word for the zone of its host, which is not known here; name that zone, such as Asia/Kolkata", name)
	case name == "":
		fail(setting, "%q is no name of a zone; name it, such as Asia/Kolkata", name)
	case err != nil:
		fail(setting, "unknown time zone %q", name)
	default:
		return loc
	}
	return nil
}

// isRate reports whether a number can be a rate, and fails if it cannot.
func isRate(fail failure, setting string, rate float64) bool {
	if math.IsNaN(rate) || math.IsInf(rate, 0) {
		fail(setting, "must be a number but is %v", rate)
		return false
	}
	return true
}

// keys finds the keys of a target and reads them once, so that a wrong file or an unusable key is
// reported before any request is sent. Files take precedence over variables.
func (f *ABS) keys(fail failure) abs.Keys {
	access, secret := os.Getenv(envAccessKey), os.Getenv(envSecretKey)
	var keys abs.Keys
	fromFiles, env := f.AccessKeyFile != "" || f.SecretKeyFile != "", envAccessKey
	switch {
	case fromFiles:
		if !both(fail, "abs.access-key-file", f.AccessKeyFile, "abs.secret-key-file", f.SecretKeyFile) {
			return nil
		}
		keys = abs.FileKeys(f.AccessKeyFile, f.SecretKeyFile)
	case access != "" && secret != "":
		keys = abs.StaticKeys(access, secret)
	case access != "":
		fail("abs.secret-key-file", "%s is set, but not %s", envAccessKey, envSecretKey)
		return nil
	case secret != "":
		fail("abs.access-key-file", "%s is set, but not %s", envSecretKey, envAccessKey)
		return nil
	default:
		fail("abs.access-key-file", "is missing: give --abs.access-key-file and --abs.secret-key-file, or the variables %s and %s", envAccessKey, envSecretKey)
		return nil
	}
	if _, _, err := keys.Keys(); err != nil {
		name := "abs.access-key-file"
		if wrong := (*abs.KeyError)(nil); errors.As(err, &wrong) && wrong.Secret {
			name, env = "abs.secret-key-file", envSecretKey
		}
		if !fromFiles {
			err = fmt.Errorf("%s: %w", env, err)
		}
		fail(name, "%s", err)
	}
	return keys
}

// validateClient lets the client validate what it alone can: certificates and fingerprints. It
// sends no request.
func (t *Target) validateClient(fail failure) {
	client, err := abs.NewClient(t.ClientConfig())
	if err == nil {
		client.Close()
		return
	}
	name, text := "abs.url", err.Error()
	if wrong := (*abs.ConfigError)(nil); errors.As(err, &wrong) {
		text = wrong.Detail
		if wrong.Other != "" {
			text += " " + clientFlags()[wrong.Other]
		}
		if flag, ok := clientFlags()[wrong.Field]; ok {
			name = flag
		}
	}
	fail(name, "%s", text)
}

// clientFlags are the flags behind the fields of abs.Config.
func clientFlags() map[string]string {
	return map[string]string{ // #nosec G101 -- names of flags
		"Keys": "abs.access-key-file", "Timeout": "abs.timeout", "Rate": "abs.rate",
		"Concurrency": "abs.concurrency", "ResponseCap": "abs.response-cap", "AdminPath": "abs.admin-path",
		"TLS.CAFile": "abs.tls.ca-file", "TLS.CertFile": "abs.tls.cert-file", "TLS.KeyFile": "abs.tls.key-file",
		"TLS.ServerName": "abs.tls.server-name", "TLS.Fingerprint": "abs.tls.fingerprint",
		"TLS.InsecureSkipVerify": "abs.tls.insecure-skip-verify", "TLS.FingerprintFile": "abs.tls.fingerprint-file",
		"TLS.MinVersion": "abs.tls.min-version",
		"Proxy.URL":      "abs.proxy-url", "Proxy.PasswordFile": "abs.proxy-password-file", "Proxy.NoProxy": "abs.no-proxy",
		"Gateway.HeaderFiles": "abs.header-file", "Gateway.BasicAuthUser": "abs.basic-auth.user",
		"Gateway.BasicAuthPasswordFile": "abs.basic-auth.password-file", "Gateway.BearerTokenFile": "abs.bearer-token-file",
	}
}
