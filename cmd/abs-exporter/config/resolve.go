package config

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Resolve is the command resolve. It has the flags of serve, so that what serve was started with
// finds the same tokens under the same ids. Its own belong to one call, so they are neither
// variables nor keys of the file.
type Resolve struct {
	Settings

	TokenID   TokenID `arg:"" optional:"" help:"Value of the label token: 16 hex digits."`
	At        string  `placeholder:"TIME" group:"resolve" env:"-" help:"Look into the window that ended then, such as the time of the alert: RFC 3339, Unix seconds, or a wall-clock time of --abs.timezone such as 2026-11-23T09:00. Default: now."`
	Target    string  `placeholder:"NAME" group:"resolve" env:"-" help:"Look at this target only. Default: at all of them."`
	IP        string  `name:"ip" placeholder:"ADDRESS" group:"resolve" env:"-" help:"Instead of a token id: print the tokens that this client address used, with its requests by API and their attacks."`
	ShowToken bool    `group:"resolve" env:"-" help:"Print the full token. Whoever reads it can use it; without this, its first and last four characters are shown, and no query of a URL."`
	Output    string  `default:"text" enum:"text,json" group:"resolve" env:"-" help:"Format of the output: text or json."`

	// Key is the key of the token ids that serve uses.
	Key tokenid.Key `kong:"-"`
}

// TokenID is a value of the label token.
type TokenID string

// Validate is called by kong.
func (id TokenID) Validate() error {
	switch {
	case id == "": // validate reports it
	case id == metrics.Other:
		return errors.New(metrics.Other + " stands for all tokens without series of their own; there is no one token behind it")
	case !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(string(id)):
		return fmt.Errorf("%q is no token id: one has 16 hex digits, as the label token shows it", string(id))
	}
	return nil
}

func (r *Resolve) validate(v *validation) {
	r.Settings.validate(v)
	switch ip, err := netip.ParseAddr(r.IP); {
	case r.IP == "" && r.TokenID == "":
		v.errs = append(v.errs, errors.New("a token id is missing, as the label token shows it; or an address: --ip"))
	case r.IP != "" && r.TokenID != "":
		v.failf("ip", "cannot be used together with a token id")
	case r.IP != "" && (err != nil || ip.Zone() != ""):
		v.failf("ip", "%q is no IP address", r.IP)
	}
	if _, err := r.until(time.UTC, v.now); err != nil {
		v.failf("at", "%s", err)
	}
	r.needsKey(v)
	if len(v.errs) > 0 {
		return
	}
	r.only(r.Target, v)
	for _, t := range r.Targets {
		if until, _ := r.until(t.Location, v.now); until.After(v.now) {
			v.failf("at", "%s lies in the future", until.In(t.Location).Format(time.RFC3339))
			break
		}
	}
	r.Key = r.readKey(v)
}

// only removes all targets but one, unless its name is empty.
func (s *Settings) only(target string, v *validation) {
	if target == "" {
		return
	}
	s.Targets = slices.DeleteFunc(s.Targets, func(t Target) bool { return t.Name != target })
	if len(s.Targets) == 0 {
		v.failf("target", "there is no target %q in the configuration", target)
	}
}

// needsKey fails where nothing says which key of the token ids serve uses.
func (s *Settings) needsKey(v *validation) {
	if s.Series.TokenKeyFile == "" && s.State.Dir == "" {
		v.failf("series.token-key-file", "is missing, and so is --state.dir: the key of the token ids is needed, the one that serve uses")
	}
}

// readKey reads the key of the token ids that serve uses. It generates none: with another one, the
// token ids would be others.
func (s *Settings) readKey(v *validation) tokenid.Key {
	key, err := ReadTokenKey(cmp.Or(s.Series.TokenKeyFile, TokenKeyPath(s.State.Dir)))
	if err != nil {
		v.failf("state.dir", "there is no usable key of the token ids: %s; name the one that serve uses by --series.token-key-file, or its --state.dir", err)
	}
	return key
}

// Window returns the window that serve read from a target at the time --at, or reads now.
func (r *Resolve) Window(t *Target, now time.Time) abs.Window {
	until, _ := r.until(t.Location, now) // an error was reported by validate
	return abs.WindowUntil(until.In(t.Location), t.Collect.Window)
}

// until parses At. Without At it returns now.
func (r *Resolve) until(zone *time.Location, now time.Time) (time.Time, error) {
	if r.At == "" {
		return now, nil
	}
	return parseTime(r.At, zone)
}

// parseTime reads a time as alerts, Prometheus and ABS write it.
func parseTime(text string, zone *time.Location) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, nil
		}
	}
	if s, err := strconv.ParseFloat(text, 64); err == nil && s > 0 && s < 1e11 {
		return time.Unix(int64(s), 0), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: write 2026-11-23T09:00:00Z, Unix seconds, or 2026-11-23T09:00 in ABS's time zone", text)
}
