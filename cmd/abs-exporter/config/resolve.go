package config

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// Resolve is the command resolve. It has the flags of serve, so that what serve was started with finds
// the same tokens under the same ids. Its own belong to one call, so they are neither variables nor
// keys of the file.
type Resolve struct {
	Settings

	TokenID   TokenID `arg:"" help:"Value of the label token: 16 hex digits."`
	At        string  `placeholder:"TIME" group:"resolve" env:"-" help:"Look into the window that ended then, such as the time of the alert: RFC 3339, Unix seconds, or a wall-clock time of --abs.timezone such as 2026-11-23T09:00. Default: now."`
	Target    string  `placeholder:"NAME" group:"resolve" env:"-" help:"Look at this target only. Default: at all of them."`
	ShowToken bool    `group:"resolve" env:"-" help:"Print the full token. Whoever reads it can use it; without this, its first and last four characters are shown."`
	Output    string  `default:"text" enum:"text,json" group:"resolve" env:"-" help:"Format of the output: text or json."`

	// Key is the key of the token ids that serve uses.
	Key tokenid.Key `kong:"-"`
}

// TokenID is a value of the label token.
type TokenID string

// Validate is called by kong.
func (id TokenID) Validate() error {
	switch {
	case id == "_other":
		return errors.New("_other stands for all tokens without series of their own; there is no one token behind it")
	case !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(string(id)):
		return fmt.Errorf("%q is no token id: one has 16 hex digits, as the label token shows it", string(id))
	}
	return nil
}

func (r *Resolve) validate(v *validation) {
	r.Settings.validate(v)
	if _, err := parseTime(r.At, time.UTC); r.At != "" && err != nil {
		v.failf("at", "%s", err)
	}
	if r.Series.TokenKeyFile == "" && r.State.Dir == "" {
		v.failf("series.token-key-file", "is missing, and so is --state.dir: the key of the token ids is needed, the one that serve uses")
	}
	if len(v.errs) > 0 {
		return
	}
	if r.Target != "" {
		r.Targets = slices.DeleteFunc(r.Targets, func(t Target) bool { return t.Name != r.Target })
		if len(r.Targets) == 0 {
			v.failf("target", "there is no target %q in the configuration", r.Target)
		}
	}
	for _, t := range r.Targets {
		if until := r.until(t.Location, v.now); until.After(v.now) {
			v.failf("at", "%s lies in the future", until.In(t.Location).Format(time.RFC3339))
			break
		}
	}
	r.readKey(v)
}

// readKey reads the key that serve uses. It generates none: with another key, no token would be found.
func (r *Resolve) readKey(v *validation) {
	name, path := "series.token-key-file", r.Series.TokenKeyFile
	if path == "" {
		name, path = "state.dir", TokenKeyPath(r.State.Dir)
	}
	var err error
	r.Key, err = ReadTokenKey(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.failf(name, "there is no key of the token ids: %s; name the one that serve uses by --series.token-key-file, or its --state.dir", err)
	case err != nil:
		v.failf(name, "the key of the token ids: %s", err)
	}
}

// Window returns the window that serve read from a target at the time --at, or reads now.
func (r *Resolve) Window(t *Target, now time.Time) abs.Window {
	return abs.WindowUntil(r.until(t.Location, now).In(t.Location), r.Collect.Window)
}

func (r *Resolve) until(zone *time.Location, now time.Time) time.Time {
	if at, err := parseTime(r.At, zone); err == nil {
		return at
	}
	return now // At is empty, or validate has refused it
}

// parseTime parses a time as alerts, Prometheus and ABS write it.
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
