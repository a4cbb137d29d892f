package promtest

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
)

// Rules evaluates rule files with Prometheus's rule engine, on what an Ingester stores.
type Rules struct {
	in     *Ingester
	groups []*rules.Group
	last   map[*rules.Group]time.Time // when it was evaluated
	firing map[string]*Firing         // the last of each alert, by its labels
	all    []*Firing
}

// Firing is one time in which an alert fired.
type Firing struct {
	Labels   labels.Labels
	Alert    string
	From, To time.Time // of the first and the last evaluation in which it fired
}

// Rules loads rule files. Groups without an interval of their own are evaluated at each interval;
// the named groups come first, in this order. A file that is not valid ends the test.
func (in *Ingester) Rules(interval time.Duration, first []string, files ...string) *Rules {
	in.tb.Helper()
	loaded, errs := rules.NewManager(&rules.ManagerOptions{
		QueryFunc:    rules.EngineQueryFunc(in.engine, in.db),
		AppendableV2: in.db,
		Queryable:    in.db,
		Context:      context.Background(),
		NotifyFunc:   func(context.Context, string, ...*rules.Alert) {},
		Logger:       slog.New(slog.NewTextHandler(in.tb.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
		Parser:       parser.NewParser(parser.Options{}),
	}).LoadGroups(interval, labels.EmptyLabels(), "", nil, false, files...)
	if len(errs) > 0 {
		in.tb.Fatalf("rule files: %v", errs)
	}
	for _, g := range loaded {
		for _, rule := range g.AlertingRules() {
			rule.SetRestored(true) // else ALERTS is not stored: nothing is left of a former process
		}
	}
	rank := func(g *rules.Group) int {
		if i := slices.Index(first, g.Name()); i >= 0 {
			return i
		}
		return len(first)
	}
	groups := slices.SortedFunc(maps.Values(loaded), func(a, b *rules.Group) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Name(), b.Name()))
	})
	return &Rules{in: in, groups: groups, last: map[*rules.Group]time.Time{}, firing: map[string]*Firing{}}
}

// Eval evaluates the groups whose interval ends at a time, and records what fires. A rule that
// fails ends the test.
func (r *Rules) Eval(at time.Time) {
	r.in.tb.Helper()
	for _, g := range r.groups {
		if at.UnixNano()%int64(g.Interval()) != 0 {
			continue
		}
		last := r.last[g]
		r.last[g] = at
		g.Eval(context.Background(), at)
		for _, rule := range g.Rules() {
			if err := rule.LastError(); err != nil {
				r.in.tb.Fatalf("rule %s at %v: %v", rule.Name(), at, err)
			}
		}
		for _, rule := range g.AlertingRules() {
			for _, a := range rule.ActiveAlerts() {
				if a.State == rules.StateFiring {
					r.fires(rule.Name(), a.Labels, last, at)
				}
			}
		}
	}
}

// fires records that an alert fires now; before is when its group was evaluated before.
func (r *Rules) fires(alert string, ls labels.Labels, before, now time.Time) {
	f := r.firing[ls.String()]
	if f == nil || !f.To.Equal(before) {
		f = &Firing{Labels: ls, Alert: alert, From: now}
		r.firing[ls.String()] = f
		r.all = append(r.all, f)
	}
	f.To = now
}

// Fired returns every time in which an alert fired, in the order of their beginnings.
func (r *Rules) Fired() []Firing {
	all := make([]Firing, 0, len(r.all))
	for _, f := range r.all {
		all = append(all, *f)
	}
	return all
}
