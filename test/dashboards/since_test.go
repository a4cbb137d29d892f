package dashboards

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
)

// hour is how many scrapes an hour has in these tests.
const hour = 240

// asking loads series in promtool's notation, a sample each 15 s from 1970 on, and returns a
// function that queries them.
func asking(t *testing.T, series string) func(expr string, at time.Duration) promql.Vector {
	t.Helper()
	storage := promqltest.LoadedStorage(t, "load 15s\n"+series)
	t.Cleanup(func() {
		if err := storage.Close(); err != nil {
			t.Error(err)
		}
	})
	engine := promqltest.NewTestEngine(t, false, 5*time.Minute, 50_000_000)
	return func(expr string, at time.Duration) promql.Vector {
		t.Helper()
		q, err := engine.NewInstantQuery(t.Context(), storage, nil, expr, time.Unix(0, 0).Add(at))
		if err != nil {
			t.Fatalf("query %s: %v", expr, err)
		}
		defer q.Close()
		got, err := q.Exec(t.Context()).Vector()
		if err != nil {
			t.Fatalf("query %s: %v", expr, err)
		}
		return append(promql.Vector(nil), got...) // the engine reuses its slices
	}
}

// attack is one that lasted in some spans of time.
type attack struct {
	name  string
	spans []int   // scrapes from one begin or end to the next, the last being now
	want  float64 // hour; below 0 where it is over
}

// series returns the attack's samples as a gauge that falls to 0 at an end, and as one that ends.
// At 12 h the exporter is away for 5 minutes.
func (a attack) series(scrapes int) (gauge, single string) {
	gauges, singles := make([]string, scrapes), make([]string, scrapes)
	for i, began := 0, false; i < scrapes; i++ {
		on, end := false, 0
		for _, span := range a.spans {
			if end += span; i >= end {
				on, began = !on, true
			}
		}
		gauges[i], singles[i] = "stale", "stale"
		switch {
		case i > 12*hour && i < 12*hour+20:
		case on:
			gauges[i], singles[i] = "1", "1"
		case began:
			gauges[i] = "0"
		}
	}
	return strings.Join(gauges, " "), strings.Join(singles, " ")
}

// First seen is when the present span of an attack began: not one before it, and not the exporter's
// last start.
func TestFirstSeen(t *testing.T) {
	const now = 16 * hour
	attacks := []attack{
		{"returned", []int{6 * hour, 3 * hour, 6 * hour}, 15},
		{"began just now", []int{now - 1}, 16},
		{"returned just now", []int{6 * hour, 3 * hour, 7*hour - 1}, 16},
		{"is older than the look back", []int{hour}, 4},
		{"goes on", []int{10 * hour}, 10}, // while the exporter was away for a short time
		{"is over", []int{6 * hour, 3 * hour}, -1},
		{"returned long ago", []int{hour, hour, 6 * hour}, 8},
	}
	var text strings.Builder
	for _, a := range attacks {
		gauge, single := a.series(now + 1)
		fmt.Fprintf(&text, " abs_attack_tokens{target=\"prod\", attack_type=%q, api=\"shop\"} %s\n", a.name, gauge)
		fmt.Fprintf(&text, " abs_token_attack_active{target=\"prod\", token=\"0123456789abcdef\", attack_type=%q, api=\"shop\"} %s\n", a.name, single)
	}
	ask := asking(t, text.String())
	n := 0
	for _, p := range panelsWith(t, "[12h:") {
		n++
		got := map[string]float64{}
		for _, s := range ask(fill(p.expr, defaults()), 16*time.Hour) {
			got[s.Metric.Get("attack_type")] = s.F / 3600
		}
		for _, a := range attacks {
			at, active := got[a.name]
			if active != (a.want >= 0) || active && (at < a.want-0.001 || at > a.want+0.04) { // a step of the query is up to 2 min
				t.Errorf("%q: an attack that %s was first seen at %.3f h (%v), want %g", p.title, a.name, at, active, a.want)
			}
		}
	}
	if n != 2 {
		t.Errorf("%d panels show when an attack was first seen, want 2", n)
	}
}

// A target of which nobody knows whether it is attacked, beside one that is known not to be, is not
// clear. Attacks of the known one are shown all the same.
func TestOneUnknownTargetIsNotClear(t *testing.T) {
	const (
		calm   = ` abs_exporter_slots{target="clear", state="open"} 4x480` + "\n" + ` abs_flagged_tokens{target="clear"} 0x480` + "\n"
		silent = ` abs_exporter_slots{target="silent", state="open"} 4x480` + "\n" + ` abs_flagged_tokens{target="silent"} 0x100` + "\n"
		gone   = ` abs_exporter_slots{target="gone", state="open"} 4x100` + "\n" + ` abs_flagged_tokens{target="gone"} 0x100` + "\n"
		attack = ` abs_exporter_slots{target="hit", state="open"} 4x480
 abs_flagged_tokens{target="hit"} 1x480
 abs_attack_tokens{target="hit", attack_type="x", api="shop"} _x40 1x440
 abs_token_attack_active{target="hit", token="0123456789abcdef", attack_type="x", api="shop"} _x40 1x440
 abs_token_anomaly_active{target="hit", token="0123456789abcdef", anomaly_type="x", api="shop"} _x40 1x440
 abs_anomaly_tokens{target="hit", anomaly_type="x", api="shop"} _x40 1x440
 abs_attack_detections_total{target="hit", attack_type="x", api="shop"} 0x380 1x100
 abs_anomaly_detections_total{target="hit", anomaly_type="x", api="shop"} 0x380 1x100
`
	)
	for _, tc := range []struct {
		name, series, chosen string
		want                 float64 // shown at least; -1: nothing is shown
	}{
		{"clear", calm, ".*", 0},
		{"clear and silent", calm + silent, ".*", -1},
		{"clear and gone", calm + gone, ".*", -1},
		{"silent", silent, ".*", -1},
		{"only the clear one is chosen", calm + silent, "clear", 0},
		{"attacked and silent", attack + silent, ".*", 1},
		{"attacked and clear", attack + calm, ".*", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ask := asking(t, tc.series)
			values := defaults()
			values["target"] = tc.chosen
			n := 0
			for _, p := range panelsWith(t, "abs_flagged_tokens") {
				n++
				highest := -1.0
				for _, s := range ask(fill(p.expr, values), 2*time.Hour) {
					if highest = max(highest, s.F); math.IsNaN(s.F) { // a time at which nothing was first seen
						highest = 0
					}
				}
				if highest < tc.want || tc.want < 1 && highest != tc.want {
					t.Errorf("%q shows %g, want %g", p.title, highest, tc.want)
				}
			}
			if n < 14 {
				t.Errorf("only %d panels were checked", n)
			}
		})
	}
}

type titledQuery struct{ title, expr string }

// panelsWith returns all queries that contain a text, with the titles of their panels.
func panelsWith(t *testing.T, text string) (out []titledQuery) {
	t.Helper()
	for _, d := range load(t) {
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				if strings.Contains(q.Expr, text) {
					out = append(out, titledQuery{p.Title, q.Expr})
				}
			}
		}
	}
	return out
}

// The traffic by API is that of every API where the chosen API is all, which only attacks have.
func TestTrafficWhereAllIsChosen(t *testing.T) {
	ask := asking(t, ` abs_api_requests_total{target="prod", api="shop"} 0+1x240
 abs_api_requests_total{target="prod", api="search"} 0+2x240
 abs_attack_tokens{target="prod", attack_type="Stolen Token Attack Type 2", api="all"} 0x240
`)
	n := 0
	for _, p := range panelsWith(t, "abs_api_requests_total") {
		n++
		for chosen, want := range map[string]int{".*": 2, "all": 2, "shop": 1, "(shop|all)": 2, "none": 0} {
			values := defaults()
			values["api"] = chosen
			if got := ask(fill(p.expr, values), time.Hour); len(got) != want {
				t.Errorf("%q: with %s there are %d APIs, want %d", p.title, chosen, len(got), want)
			}
		}
	}
	if n != 2 {
		t.Errorf("%d panels were checked, want 2", n)
	}
}
