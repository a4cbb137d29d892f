package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/alecthomas/kong"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/findings/catalogue"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

const outputJSON = "json"

// resolveCmd takes the flags of serve, so that what serve was started with finds the
// same tokens under the same ids. Its own belong to one call, so they are neither
// variables nor keys of the file.
type resolveCmd struct {
	settings

	TokenID   tokenID `arg:"" help:"Value of the label token: 16 hex digits."`
	At        string  `placeholder:"TIME" group:"resolve" env:"-" help:"Look into the window that ended then, such as the time of the alert: RFC 3339, Unix seconds, or a wall-clock time of --abs.timezone such as 2026-11-23T09:00. Default: now."`
	Target    string  `placeholder:"NAME" group:"resolve" env:"-" help:"Look at this target only. Default: at all of them."`
	ShowToken bool    `group:"resolve" env:"-" help:"Print the token whole. Whoever reads it can use it; without this, its first and last four characters are shown."`
	Output    string  `default:"text" enum:"text,json" group:"resolve" env:"-" help:"How to print: text or json."`
}

// check holds the command against the rules of serve and its own.
func (r *resolveCmd) check(in *invocation, ctx *kong.Context) ([]targetFlags, problems) {
	targets, p := r.settings.check(in, ctx)
	if _, err := parseTime(r.At, time.UTC); r.At != "" && err != nil {
		p.addf("at", "%s", err)
	}
	if r.Series.TokenKeyFile == "" && r.State.Dir == "" {
		p.addf("series.token-key-file", "is missing, and so is --state.dir: the key of the token ids is needed, the one that serve uses")
	}
	if r.Target == "" {
		return targets, p
	}
	for _, t := range targets {
		if t.Name == r.Target {
			return []targetFlags{t}, p
		}
	}
	if len(p) == 0 {
		p.addf("target", "there is no target %q in the configuration", r.Target)
	}
	return nil, p
}

// tokenID is a value of the label token.
type tokenID string

// Validate is called by kong.
func (id tokenID) Validate() error {
	switch {
	case id == "_other":
		return errors.New("_other stands for all tokens without series of their own; there is no one token behind it")
	case !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(string(id)):
		return fmt.Errorf("%q is no token id: one has 16 hex digits, as the label token shows it", string(id))
	}
	return nil
}

// parseTime reads a time as alerts, Prometheus and ABS write it.
func parseTime(text string, loc *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, loc); err == nil {
			return t, nil
		}
	}
	if s, err := strconv.ParseFloat(text, 64); err == nil && s > 0 && s < 1e11 {
		return time.Unix(int64(s), 0), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: write 2026-11-23T09:00:00Z, Unix seconds, or 2026-11-23T09:00 in ABS's time zone", text)
}

// givenTokenKey reads the key that serve uses. It makes none: a key of its own would
// find nothing.
func givenTokenKey(file, stateDir string) (tokenid.Key, error) {
	if file == "" {
		file = filepath.Join(stateDir, tokenKeyName)
	}
	key, err := readTokenKey(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &usageError{fmt.Errorf("there is no key of the token ids: %w; give the one that serve uses by --series.token-key-file, or its --state.dir", err)}
	}
	if err != nil {
		return nil, &usageError{fmt.Errorf("the key of the token ids: %w", err)}
	}
	return key, nil
}

// runResolve looks for the token at every target and prints where it is.
func (in *invocation) runResolve(ctx context.Context, stdout, stderr io.Writer) error {
	r := &in.cli.Resolve
	clock, err := newClock()
	if err != nil {
		return &usageError{err}
	}
	log, err := newLogger(r.Log, stderr)
	if err != nil {
		return err
	}
	key, err := givenTokenKey(r.Series.TokenKeyFile, r.State.Dir)
	if err != nil {
		return err
	}
	types, err := catalogue.New(r.Forensics.Severity)
	if err != nil {
		return &usageError{err}
	}
	var found []*resolution
	var failed []error
	for _, t := range in.targets {
		window, err := r.windowOf(t, clock.Now())
		if err != nil {
			return &usageError{fmt.Errorf("--at: %w", err)}
		}
		res, err := r.resolveAt(ctx, t, window, key, log)
		if err != nil {
			failed = append(failed, fmt.Errorf("target %s: %w", t.Name, err))
			continue
		}
		res.judge(types)
		found = append(found, res)
	}
	if len(found) == 0 {
		return errors.Join(failed...)
	}
	for _, err := range failed {
		if missing := (*notFoundError)(nil); !errors.As(err, &missing) {
			log.Warn("a target could not be looked at", "err", err)
		}
	}
	return printResolutions(stdout, found, r.ShowToken, r.Output == outputJSON)
}

// windowOf is the window that serve reads, as it was at --at.
func (r *resolveCmd) windowOf(t targetFlags, now time.Time) (abs.Window, error) {
	to := now
	if r.At != "" {
		at, err := parseTime(r.At, t.location)
		if err != nil {
			return abs.Window{}, err
		}
		if at.After(now) {
			return abs.Window{}, fmt.Errorf("%s lies in the future", at.In(t.location).Format(time.RFC3339))
		}
		to = at
	}
	to = to.Truncate(time.Minute).In(t.location)
	return abs.Window{From: to.Add(-r.Collect.Window), To: to}, nil
}

func (r *resolveCmd) resolveAt(ctx context.Context, t targetFlags, w abs.Window, key tokenid.Key, log *slog.Logger) (*resolution, error) {
	config := t.clientConfig()
	config.UserAgent = "abs-exporter/" + build().Version
	client, err := abs.NewClient(config)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	for _, warning := range client.Warnings() {
		log.Warn(warning, "target", t.Name)
	}
	s := &tokenSearch{client: client, key: key, id: string(r.TokenID), window: w, restricted: t.User == userRestricted, cap: int64(t.ResponseCap)}
	res, err := s.run(ctx)
	if err != nil {
		return nil, err
	}
	res.Target, res.TokenID = t.Name, string(r.TokenID)
	return res, nil
}
