package dashboards

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/util/teststorage"
)

// store has series in promtool's notation, a sample each 15 s from 1970 on.
type store struct {
	t       *testing.T
	storage *teststorage.TestStorage
	engine  *promql.Engine
}

func loaded(t *testing.T, series string) *store {
	t.Helper()
	return loadedEach(t, "15s", series)
}

func loadedEach(t *testing.T, interval, series string) *store {
	t.Helper()
	storage := promqltest.LoadedStorage(t, "load "+interval+"\n"+series)
	t.Cleanup(func() {
		if err := storage.Close(); err != nil {
			t.Error(err)
		}
	})
	return &store{t, storage, promqltest.NewTestEngine(t, false, 5*time.Minute, 50_000_000)}
}

// ask returns the answer to an instant query, and how many samples were read for it.
func (d *store) ask(expr string, at time.Duration) (promql.Vector, int64) {
	d.t.Helper()
	q, err := d.engine.NewInstantQuery(d.t.Context(), d.storage, nil, expr, time.Unix(0, 0).Add(at))
	if err != nil {
		d.t.Fatalf("query %s: %v", expr, err)
	}
	defer q.Close()
	got, err := q.Exec(d.t.Context()).Vector()
	if err != nil {
		d.t.Fatalf("query %s: %v", expr, err)
	}
	return append(promql.Vector(nil), got...), q.Stats().Samples.TotalSamples // the engine reuses its slices
}

// graph returns the answer to a range query, and how many samples were read for it.
func (d *store) graph(expr string, from, to, step time.Duration) (promql.Matrix, int64) {
	d.t.Helper()
	q, err := d.engine.NewRangeQuery(d.t.Context(), d.storage, nil, expr, time.Unix(0, 0).Add(from), time.Unix(0, 0).Add(to), step)
	if err != nil {
		d.t.Fatalf("query %s: %v", expr, err)
	}
	d.t.Cleanup(q.Close)
	got, err := q.Exec(d.t.Context()).Matrix()
	if err != nil {
		d.t.Fatalf("query %s: %v", expr, err)
	}
	return got, q.Stats().Samples.TotalSamples
}

// sum returns the sum of all points of a graph.
func (d *store) sum(expr string, from, to, step time.Duration) (sum float64) {
	d.t.Helper()
	values := defaults()
	values["__interval"] = fmt.Sprintf("%ds", int(step.Seconds()))
	got, _ := d.graph(fill(expr, values), from, to, step)
	for _, series := range got {
		for _, point := range series.Floats {
			sum += point.F
		}
	}
	return sum
}

type titledQuery struct {
	dashboard string
	panel     panel
	query     query
}

func (q titledQuery) String() string {
	return fmt.Sprintf("%s: %q: %s", q.dashboard, q.panel.Title, q.query.RefID)
}

// queriesWith returns all queries that contain a text.
func queriesWith(t *testing.T, text string) (out []titledQuery) {
	t.Helper()
	for _, d := range loadProm(t) {
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				if strings.Contains(q.Expr, text) {
					out = append(out, titledQuery{d.UID, p, q})
				}
			}
		}
	}
	return out
}

// First seen is the time that the exporter has, as the milliseconds that Grafana's dates are.
func TestFirstSeen(t *testing.T) {
	db := loaded(t, ` abs_attack_tokens{target="prod", attack_type="x", api="shop"} 1x240
 abs_attack_start_timestamp_seconds{target="prod", attack_type="x", api="shop"} 1234x240
 abs_token_attack_active{target="prod", token="0123456789abcdef", attack_type="x", api="shop"} 1x240
 abs_token_attack_start_timestamp_seconds{target="prod", token="0123456789abcdef", attack_type="x", api="shop"} 1234x240
`)
	n := 0
	for _, q := range queriesWith(t, "attack_start_timestamp_seconds") {
		n++
		got, _ := db.ask(fill(q.query.Expr, defaults()), time.Hour)
		if len(got) != 1 || got[0].F != 1234_000 {
			t.Errorf("%s: an attack was first seen at %s, want 1234000 ms", q, got)
		}
	}
	if n < 5 {
		t.Errorf("%d queries were checked", n)
	}
}

// Series of one target, as they are for 2 hours.
const (
	slots  = ` abs_exporter_slots{target="%[1]s", state="open"} 4x480` + "\n"
	fresh  = ` abs_exporter_report_last_success_timestamp_seconds{target="%[1]s", report="oauthtokens"} 0+15x480` + "\n"
	stale  = ` abs_exporter_report_last_success_timestamp_seconds{target="%[1]s", report="oauthtokens"} 0+15x100 1500x380` + "\n"
	known  = ` abs_flagged_tokens{target="%[1]s"} 0x480` + "\n"
	calm   = slots + fresh + known
	silent = slots + stale + known // ABS sends nothing, and the gauges hold their last value
	mute   = slots + fresh + ` abs_up{target="%[1]s"} 1x480` + "\n"
	gone   = ` abs_exporter_slots{target="%[1]s", state="open"} 4x100` + "\n" +
		` abs_exporter_report_last_success_timestamp_seconds{target="%[1]s", report="oauthtokens"} 0+15x100` + "\n" + ` abs_flagged_tokens{target="%[1]s"} 0x100` + "\n"
	attacked = slots + fresh + ` abs_flagged_tokens{target="%[1]s"} 1x480
 abs_attack_tokens{target="%[1]s", attack_type="x", api="shop"} _x40 1x440
 abs_token_attack_active{target="%[1]s", token="0123456789abcdef", attack_type="x", api="shop"} _x40 1x440
 abs_attack_detections_total{target="%[1]s", attack_type="x", api="shop"} 0x380 1x100
`
)

// A target of which nobody knows whether it is attacked, beside one that is known not to be: no
// number is an all-clear, and the table has a line for it. Attacks of others are shown all the
// same, as at least so many.
func TestBlindTarget(t *testing.T) {
	one := func(series, name string) string { return fmt.Sprintf(series, name) }
	for _, tc := range []struct {
		name, series, chosen string
		blind                float64 // how many targets are
		attacked             bool
	}{
		{"clear", one(calm, "a"), ".*", 0, false},
		{"clear and silent", one(calm, "a") + one(silent, "b"), ".*", 1, false},
		{"clear and mute", one(calm, "a") + one(mute, "b"), ".*", 1, false},
		{"clear and gone", one(calm, "a") + one(gone, "b"), ".*", 1, false},
		{"clear and never seen", one(calm, "a") + ` abs:expected_target{target="b"} 1x480` + "\n", ".*", 1, false},
		{"silent", one(silent, "b"), ".*", 1, false},
		{"only the clear one is chosen", one(calm, "a") + one(silent, "b"), "a", 0, false},
		{"attacked and silent", one(attacked, "a") + one(silent, "b"), ".*", 1, true},
		{"attacked and clear", one(attacked, "a") + one(calm, "b"), ".*", 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db := loaded(t, tc.series)
			values := defaults()
			values["target"] = tc.chosen
			tiles, tables := 0, 0
			for _, q := range queriesWith(t, "abs_exporter_slots") {
				if q.dashboard == "abs-exporter-health" || !q.query.Instant && q.panel.Type != "stat" {
					continue
				}
				got, _ := db.ask(fill(q.query.Expr, values), 2*time.Hour)
				switch {
				case q.panel.Title == "Blind targets":
					checkNumber(t, q, got, tc.blind)
				case q.panel.renames("Value #"+q.query.RefID) == "Severity":
					tables++
					checkLines(t, q, got, tc.blind, tc.attacked)
				case q.panel.Type != "table" && strings.Contains(q.query.Expr, "seen"):
					tiles++
					checkTile(t, q, got, tc.blind, tc.attacked)
				case tc.blind > 0 && (tc.name != "clear and mute" || q.panel.Title != "Data age"): // that is right
					notClear(t, q, got)
				}
			}
			if tiles < 5 || tables < 4 {
				t.Errorf("only %d tiles and %d tables were checked", tiles, tables)
			}
		})
	}
}

func checkNumber(t *testing.T, q titledQuery, got promql.Vector, want float64) {
	t.Helper()
	if len(got) != 1 || got[0].F != want {
		t.Errorf("%s shows %s, want %g", q, got, want)
	}
}

func notClear(t *testing.T, q titledQuery, got promql.Vector) {
	t.Helper()
	for _, s := range got {
		if q.panel.clear(t, q.query, s.F) {
			t.Errorf("%s is clear beside a blind target: %s", q, s)
		}
	}
}

func checkTile(t *testing.T, q titledQuery, got promql.Vector, blind float64, attacked bool) {
	t.Helper()
	switch {
	case blind > 0 && !attacked:
		if len(got) > 0 {
			t.Errorf("%s shows %s beside a blind target", q, got)
		}
	case len(got) != 1 || attacked != (got[0].F > 0.5):
		t.Errorf("%s shows %s", q, got)
	case strings.HasPrefix(got[0].Metric.Get("seen"), "at least") != (blind > 0):
		t.Errorf("%s: with %g blind targets it says %s", q, blind, got[0].Metric)
	}
}

func checkLines(t *testing.T, q titledQuery, got promql.Vector, blind float64, attacked bool) {
	t.Helper()
	ranks := map[float64]int{}
	for _, s := range got {
		ranks[s.F]++
		if s.F == 5 && !strings.Contains(s.Metric.String(), "unknown: the target is blind") {
			t.Errorf("%s: the line of a blind target says %s", q, s.Metric)
		}
	}
	if ranks[5] != int(blind) || (ranks[3] > 0) != attacked || ranks[0]+ranks[3]+ranks[5] != len(got) {
		t.Errorf("%s: the lines are %s", q, got)
	}
}

// countersOf30Days are counters with a sample each minute: what counts now and then, what steps
// with ABS's batches just after every full ten minutes, what restarts at zero and is gone for a
// while, and what is young. Each has a number of steps until each sample, which its samples need
// not show.
func countersOf30Days() (series string, counted []int) {
	const samples = 30*1440 + 1
	counted = make([]int, samples)
	counters := map[string]func(i int) int{
		"rare":     func(i int) int { return map[bool]int{true: 1 + i%3}[i%1751 == 875 || i%2473 == 1] },
		"batches":  func(i int) int { return map[bool]int{true: 40}[i%10 == 1] },
		"restarts": func(i int) int { return map[bool]int{true: 7}[i%10 == 1] },
		"young":    func(i int) int { return map[bool]int{true: 60}[i == samples-500] },
	}
	for _, name := range slices.Sorted(maps.Keys(counters)) {
		if name == "young" { // once all others are loaded: the store takes nothing much older than a first sample
			series += "\nload 1m\n"
		}
		steps := counters[name]
		values, total := make([]string, samples), 0
		for i := range values {
			n := steps(i)
			if name == "restarts" && (i%2880 == 1447 || i%2880 == 30 || i%2880 == 59) { // in an hour, and while it is gone
				total = 0
			}
			total += n
			values[i] = fmt.Sprint(total)
			if gone := i%2880 >= 55 && i%2880 < 63; name == "restarts" && gone || name == "young" && i < samples-501 {
				values[i] = "_"
			}
			counted[i] += n
		}
		series += fmt.Sprintf(" abs_attack_detections_total{target=\"prod\", attack_type=%q, api=\"shop\"} %s\n", name, strings.Join(values, " "))
	}
	for i := range counted[1:] {
		counted[i+1] += counted[i]
	}
	return series, counted
}

// The cells of rows over time, and the bars, add up to what was counted, for any span of time: none
// is lost where there are too many points for the chosen range, or between the last sample of one
// cell and the first of the next, and none is shown twice.
func TestCellsAddUp(t *testing.T) {
	const days = 30
	series, counted := countersOf30Days()
	db := loadedEach(t, "1m", series)
	checked := 0
	for _, q := range queriesWith(t, "abs_attack_detections_total") {
		if !q.query.Range || q.panel.Type == "stat" {
			continue
		}
		checked++
		// The steps are those that Grafana chooses for at most 48 points, one hour being the least.
		for _, view := range []struct{ span, step time.Duration }{
			{6 * time.Hour, time.Hour}, {48 * time.Hour, time.Hour}, {7 * 24 * time.Hour, 3 * time.Hour}, {29 * 24 * time.Hour, 12 * time.Hour},
		} {
			end := days * 24 * time.Hour
			sum := db.sum(q.query.Expr, end-view.span, end, view.step)
			want := float64(counted[len(counted)-1] - counted[int((end-view.span-view.step).Minutes())])
			if math.Abs(sum-want) > max(1, 0.002*want) {
				t.Errorf("%s: of %s the cells are %.1f together, want %.0f", q, view.span, sum, want)
			}
		}
	}
	if checked < 2 {
		t.Errorf("only %d panels were checked", checked)
	}
}

// The table of the chosen time counts a detection as the counter does, also where the series is
// young, and says of an attack that ended that it is over.
func TestAttacksInTheChosenTime(t *testing.T) {
	db := loaded(t, fmt.Sprintf(slots+fresh+known, "prod")+
		` abs_attack_tokens{target="prod", attack_type="ended", api="shop"} _x100 3x100 0x280
 abs_attack_detections_total{target="prod", attack_type="ended", api="shop"} _x100 0 3x379
 abs_attack_tokens{target="prod", attack_type="new", api="shop"} _x473 1x7
 abs_attack_detections_total{target="prod", attack_type="new", api="shop"} _x473 0 1x6
`)
	got := map[string]float64{}
	for _, q := range queriesWith(t, "$__range") {
		title := q.panel.renames("Value #" + q.query.RefID)
		if title != "State" && title != "New attacks" {
			continue
		}
		values := defaults()
		values["__range"], values["__interval"] = "7200s", "1m"
		answer, _ := db.ask(fill(q.query.Expr, values), 2*time.Hour)
		for _, s := range answer {
			got[title+" "+s.Metric.Get("attack_type")] = s.F
		}
	}
	want := map[string]float64{"State ended": 0, "State new": 1, "New attacks ended": 3, "New attacks new": 1}
	if !maps.Equal(got, want) {
		t.Errorf("the table shows %v, want %v", got, want)
	}
}

// A line that says that there is nothing leads nowhere.
func TestNothingIsNoLink(t *testing.T) {
	db := loaded(t, fmt.Sprintf(calm, "a")+fmt.Sprintf(silent, "b"))
	n := 0
	for _, q := range queriesWith(t, "abs_exporter_slots") {
		for _, label := range q.panel.linked() {
			got, _ := db.ask(fill(q.query.Expr, defaults()), 2*time.Hour)
			for _, s := range got {
				if text := s.Metric.Get(label); strings.TrimSpace(text) != "" {
					t.Errorf("%s: the link %q leads to none: %s", q, label, s)
				}
				n++
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d cells were checked", n)
	}
}

// No row of a timeline says that there is nothing during an attack at its target.
func TestTimelinesDuringAnAttack(t *testing.T) {
	db := loaded(t, fmt.Sprintf(attacked, "a"))
	n := 0
	for _, q := range queriesWith(t, "abs_attack_tokens") {
		if q.panel.Type != "state-timeline" {
			continue
		}
		n++
		if got, _ := db.ask(fill(q.query.Expr, defaults()), 2*time.Hour); len(got) != 1 || got[0].F != 3 {
			t.Errorf("%s shows %s, want the rank 3", q, got)
		}
	}
	if n != 4 {
		t.Errorf("%d queries were checked, want 4", n)
	}
}

// The alerts that fire are those that say that something is wrong.
func TestFiringAlerts(t *testing.T) {
	const loadedRules = ` abs:threshold_unreachable_seconds 1800x480` + "\n"
	watchdog := ` ALERTS{alertname="ABSWatchdog", alertstate="firing", severity="info"} 1x480` + "\n"
	attack := ` ALERTS{alertname="ABSAttack", alertstate="firing", severity="critical", target="prod"} 1x480` + "\n"
	for want, series := range map[string]string{"none": watchdog, "ABSAttack": watchdog + attack} {
		db := loaded(t, fmt.Sprintf(calm, "prod")+loadedRules+series)
		for _, q := range queriesWith(t, "ALERTS{") {
			if got, _ := db.ask(fill(q.query.Expr, defaults()), 2*time.Hour); len(got) != 1 || got[0].Metric.Get("alertname") != want {
				t.Errorf("%s shows %s, want %s", q, got, want)
			}
		}
	}
}

// Severities are ranks everywhere: an info attack is no critical one, a type without an info series
// is unknown, and of two opinions on a type the worse counts.
func TestRanks(t *testing.T) {
	want := map[string]float64{"critical": 4, "unknown": 3, "nobody knows": 3, "warning": 2, "info": 1, "two": 4}
	var series strings.Builder
	series.WriteString(fmt.Sprintf(slots+fresh, "prod") + ` abs_flagged_tokens{target="prod"} 6x480` + "\n")
	for _, name := range []string{"critical", "unknown", "nobody knows", "warning", "info", "two"} {
		fmt.Fprintf(&series, " abs_attack_tokens{target=\"prod\", attack_type=%q, api=\"shop\"} 1x480\n", name)
		fmt.Fprintf(&series, " abs_token_attack_active{target=\"prod\", token=\"0123456789abcdef\", attack_type=%q, api=\"shop\"} 1x480\n", name)
		info := []string{name}
		switch name {
		case "nobody knows":
			continue
		case "two":
			info = []string{"info", "critical"}
		}
		for _, severity := range info {
			fmt.Fprintf(&series, " abs_attack_type_info{target=\"prod\", attack_type=%q, id=\"1\", category=\"c\", severity=%q} 1x480\n", name, severity)
		}
	}
	db := loaded(t, series.String())
	n := 0
	for _, q := range queriesWith(t, "abs_attack_type_info") {
		got, _ := db.ask(fill(q.query.Expr, defaults()), 2*time.Hour)
		if len(got) > 0 && got[0].Metric.Has("attack_type") {
			n++
			checkRanks(t, q, got, want)
		} else if q.panel.Type == "state-timeline" || strings.HasPrefix(q.panel.Title, "Worst severity") {
			checkRanks(t, q, got, map[string]float64{"": 4})
		}
	}
	if n < 5 {
		t.Errorf("only %d queries were checked", n)
	}
	// The tile shows each token once, under its worst.
	for _, q := range queriesWith(t, "count_values") {
		got, _ := db.ask(fill(q.query.Expr, defaults()), 2*time.Hour)
		for _, s := range got {
			if want := map[string]float64{"critical": 1}[s.Metric.Get("severity")]; s.F != want {
				t.Errorf("%s: %s", q, s)
			}
		}
		if len(got) != 4 {
			t.Errorf("%s shows %s", q, got)
		}
		// Of a graph, which the trend is, Prometheus sorts the series.
		var order []string
		graph, _ := db.graph(fill(q.query.Expr, defaults()), time.Hour, 2*time.Hour, time.Minute)
		for _, s := range graph {
			order = append(order, s.Metric.Get("severity"))
		}
		if worst := []string{"critical", "unknown", "warning", "info"}; !slices.Equal(order, worst) {
			t.Errorf("%s: the order is %q, want %q", q, order, worst)
		}
	}
}

func checkRanks(t *testing.T, q titledQuery, got promql.Vector, want map[string]float64) {
	t.Helper()
	for _, s := range got {
		if name := s.Metric.Get("attack_type"); s.F != want[name] {
			t.Errorf("%s: an attack of severity %q has the rank %g, want %g", q, name, s.F, want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d types, want %d", q, len(got), len(want))
	}
}

// A viewer's refresh is cheap: a query reads each sample four times at most, whatever its panel
// shows, with 12 hours of 60 tokens.
func TestQueriesAreCheap(t *testing.T) {
	const samples, span = 2880, 12 * time.Hour
	var series strings.Builder
	series.WriteString(strings.ReplaceAll(fmt.Sprintf(slots+fresh+known, "prod"), "x480", fmt.Sprint("x", samples)))
	n := 3
	for i := range 60 {
		fmt.Fprintf(&series, " abs_token_attack_active{target=\"prod\", token=\"%016x\", attack_type=\"x\", api=\"shop\"} 1x%d\n", i, samples)
		fmt.Fprintf(&series, " abs_token_window_requests{target=\"prod\", token=\"%016x\"} 1x%d\n", i, samples)
		fmt.Fprintf(&series, " abs_attack_tokens{target=\"prod\", attack_type=\"%d\", api=\"shop\"} 1x%d\n", i, samples)
		fmt.Fprintf(&series, " abs_attack_detections_total{target=\"prod\", attack_type=\"%d\", api=\"shop\"} 1x%d\n", i, samples)
		n += 4
	}
	db := loaded(t, series.String())
	values := defaults()
	for _, q := range queriesWith(t, "{") {
		values["__interval"] = "150s" // 12 h in 300 points
		if q.query.Range {
			values["__interval"] = "1h"
		}
		expr, read := fill(q.query.Expr, values), int64(0)
		if q.query.Instant {
			_, read = db.ask(expr, span)
		} else {
			step := time.Minute
			switch {
			case q.panel.Interval == "$range":
				step = time.Hour
			case q.panel.MaxDataPoints > 0:
				step = max(step, span/time.Duration(q.panel.MaxDataPoints))
			}
			_, read = db.graph(expr, 0, span, step)
		}
		if read > 4*60*samples { // what is read once for all points of a graph counts at each
			t.Errorf("%s reads %d samples", q, read)
		}
	}
}

// The traffic by API is that of every API where the chosen API is all, which only attacks have.
func TestTrafficWhereAllIsChosen(t *testing.T) {
	db := loaded(t, ` abs_api_requests_total{target="prod", api="shop"} 0+1x240
 abs_api_requests_total{target="prod", api="search"} 0+2x240
 abs_attack_tokens{target="prod", attack_type="Stolen Token Attack Type 2", api="all"} 0x240
`)
	n := 0
	for _, q := range queriesWith(t, "abs_api_requests_total") {
		if q.dashboard != "abs-exporter-overview" {
			continue
		}
		n++
		for chosen, want := range map[string]int{".*": 2, "all": 2, "shop": 1, "(shop|all)": 2, "none": 0} {
			values := defaults()
			values["api"] = chosen
			if got, _ := db.ask(fill(q.query.Expr, values), time.Hour); len(got) != want {
				t.Errorf("%s: with %s there are %d APIs, want %d", q, chosen, len(got), want)
			}
		}
	}
	if n != 2 {
		t.Errorf("%d panels were checked, want 2", n)
	}
}
