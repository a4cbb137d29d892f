package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/collector/backfill"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Backfill is the command backfill. It has the flags of serve, so that the history has the series
// of the live counters. Its own belong to one call, so they are neither variables nor keys of the
// file.
type Backfill struct {
	Settings

	From    string        `required:"" placeholder:"TIME" group:"backfill" env:"-" help:"Where the history begins: RFC 3339, Unix seconds, or a wall-clock time of --abs.timezone such as 2026-11-23T09:00."`
	To      string        `placeholder:"TIME" group:"backfill" env:"-" help:"Where it ends, to the minute. Default: where the live counters of the target begin, as the state in --state.dir has it."`
	Step    time.Duration `default:"10m" group:"backfill" env:"-" help:"Length of the windows that ABS is asked for, and time between samples: whole minutes that divide a day."`
	Target  string        `placeholder:"NAME" group:"backfill" env:"-" help:"Write the history of this target only. Default: of all."`
	Label   []string      `sep:"none" placeholder:"NAME=VALUE" group:"backfill" env:"-" help:"Label of every series, beside its own: job and instance as your Prometheus sets them, or the history is that of other series. Repeatable."`
	Output  string        `default:"abs-history.om" placeholder:"FILE" group:"backfill" env:"-" help:"File to write. -: the standard output, once all is read."`
	WorkDir string        `default:"abs-history.work" placeholder:"DIR" group:"backfill" env:"-" help:"Directory where what was read is kept until all is written. The same command goes on from there."`

	Key    tokenid.Key      `kong:"-"` // of the token ids that serve uses
	Labels []backfill.Label `kong:"-"`
	// Histories are where the history of each of Targets begins and ends.
	Histories []History `kong:"-"`
}

// History is the stretch of time that is written of a target.
type History struct{ From, To time.Time }

func (b *Backfill) validate(v *validation) {
	b.Settings.validate(v)
	b.needsKey(v)
	if b.Step < time.Minute || b.Step%time.Minute != 0 || 24*time.Hour%b.Step != 0 {
		v.failf("step", "must be whole minutes that divide a day, such as 10m, 30m or 1h, but is %s", b.Step)
	}
	b.labels(v)
	for name, value := range map[string]string{"output": b.Output, "work-dir": b.WorkDir} {
		if value == "" {
			v.failf(name, "must not be empty")
		}
	}
	if len(v.errs) > 0 {
		return
	}
	if b.only(b.Target, v); len(v.errs) > 0 {
		return
	}
	if b.Key = b.readKey(v); len(v.errs) > 0 {
		return
	}
	for i := range b.Targets {
		b.Histories = append(b.Histories, b.history(v, &b.Targets[i]))
	}
}

// labels parses --label.
func (b *Backfill) labels(v *validation) {
	own := map[string]bool{}
	for _, f := range metrics.Table() {
		for _, name := range f.Labels {
			own[name] = f.Group == metrics.GroupCounters || own[name]
		}
	}
	for i := range b.Targets {
		for name := range b.Targets[i].Labels {
			own[name] = true
		}
	}
	given := map[string]bool{}
	for _, text := range b.Label {
		name, value, found := strings.Cut(text, "=")
		switch {
		case !found:
			v.failf("label", "%q is not of the form NAME=VALUE", text)
		case !regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`).MatchString(name):
			v.failf("label", "%q is no name of a label: one has letters, digits and _, and begins with no digit", name)
		case strings.HasPrefix(name, "__"):
			v.failf("label", "%q is reserved: names that begin with __ are Prometheus's own", name)
		case own[name]:
			v.failf("label", "%q is reserved: the series have it already", name)
		case given[name]:
			v.failf("label", "%q is given twice", name)
		case value == "" || !utf8.ValidString(value):
			v.failf("label", "the value of %q is empty, or no text", name)
		}
		given[name] = true
		b.Labels = append(b.Labels, backfill.Label{Name: name, Value: value})
	}
	if !given["job"] || !given["instance"] {
		v.warn(noTarget, "label", "job or instance is missing",
			"Prometheus adds both to the live series: without them the history is that of other series, and no increase reaches over the seam")
	}
}

// history returns what is written of a target.
func (b *Backfill) history(v *validation, t *Target) (h History) {
	const layout = "2006-01-02T15:04Z"
	zone := ledger.Zone{Location: t.Location, Inclusive: t.Inclusive()}
	var err error
	if h.From, err = parseTime(b.From, t.Location); err != nil {
		v.failf("from", "%s", err)
		return h
	}
	var start ledger.Start
	if b.State.Dir != "" {
		if start, err = collector.CountingStart(b.State.Dir, t.Name, b.Key); err != nil {
			v.failf("state.dir", "%s", err)
			return h
		}
	}
	live := !start.From.IsZero()
	h.To = start.From.UTC()
	switch {
	case b.To != "":
		if h.To, err = parseTime(b.To, t.Location); err != nil {
			v.failf("to", "%s", err)
			return h
		}
	case !live:
		v.failf("to", "is missing, and --state.dir (%s) has no state of target %s that would say where its counters begin: start serve with --collect.lookback=%s first, or give --to",
			b.State.Dir, t.Name, t.Collect.Settle)
		return h
	}
	to := h.To.UTC().Format(layout)
	switch {
	case !h.To.Equal(h.To.Truncate(time.Minute)):
		v.failf("to", "must be a whole minute, as ABS knows no seconds, but is %s", h.To.UTC().Format(time.RFC3339Nano))
	case h.To.After(v.now):
		v.failf("to", "%s lies in the future", to)
	case !h.From.Before(h.To):
		v.failf("from", "%s is not before the end of the history, %s", h.From.UTC().Format(layout), to)
	case live && h.To.After(start.From):
		v.failf("to", "%s lies after %s, from which on the live counters of target %s have all requests: those in between would be counted twice", to, start.From.UTC().Format(layout), t.Name)
	case h.To.After(v.now.Add(-t.Collect.Settle)):
		v.failf("to", "%s is less than --collect.settle (%s) ago: ABS may add requests of before. Try again from %s on", to, t.Collect.Settle, h.To.Add(t.Collect.Settle).UTC().Format(layout))
	case !zone.Unambiguous(h.To):
		v.failf("to", "%s cannot be named to ABS: its clock, turned back, shows it twice. Give %s", to, zone.FirstUnambiguous(h.To, h.To.Add(24*time.Hour)).UTC().Format(layout))
	case h.From.Year() < 2000:
		v.failf("from", "%s is before there was any ABS", h.From.UTC().Format(layout))
	}
	b.seam(v, t, h.To, start)
	return h
}

// seam warns where the history and the live counters do not meet.
func (b *Backfill) seam(v *validation, t *Target, to time.Time, start ledger.Start) {
	const layout = "2006-01-02T15:04Z"
	switch lookback := start.Began.Sub(start.From).Truncate(time.Minute); {
	case start.From.IsZero():
		v.warn(noTarget, "state.dir", fmt.Sprintf("there is no state of target %s", t.Name),
			"whether the live counters begin where the history ends is not known: serve needs a --collect.lookback to "+to.UTC().Format(layout))
	case to.Before(start.From):
		v.warn(noTarget, "to", fmt.Sprintf("lies before %s, where the live counters of target %s begin", start.From.UTC().Format(layout), t.Name),
			"the requests in between are in neither")
	case lookback < t.Collect.Settle:
		v.warn(noTarget, "collect.lookback", fmt.Sprintf("was %s when the counters of target %s began, which is less than --collect.settle (%s)", lookback, t.Name, t.Collect.Settle),
			"requests of before "+to.UTC().Format(layout)+" that ABS reported after "+start.Began.UTC().Format(layout)+" are in the live counters, and in the history again")
	}
}

// End returns the end of the last history.
func (b *Backfill) End() time.Time {
	return slices.MaxFunc(b.Histories, func(x, y History) int { return x.To.Compare(y.To) }).To
}
