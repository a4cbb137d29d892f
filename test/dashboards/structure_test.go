package dashboards

import (
	"slices"
	"strings"
	"testing"
)

// uids are those that links and alerts refer to.
var uids = []string{"abs-exporter-api", "abs-exporter-events", "abs-exporter-health", "abs-exporter-overview", "abs-exporter-token"}

// Colours, as in docs/dashboards.md.
const (
	doubt    = "#9D5995"
	allClear = "#157842"
)

func TestUIDs(t *testing.T) {
	var got []string
	for _, d := range load(t) {
		got = append(got, d.UID)
	}
	if !slices.Equal(got, uids) {
		t.Errorf("the uids are %q, want %q", got, uids)
	}
}

// Dashboards work provisioned and imported by hand: they need no input, have no id, and the data
// source is a variable that Grafana sets to its default.
func TestGrafanaAcceptsThem(t *testing.T) {
	for _, d := range load(t) {
		if d.ID != nil || d.Inputs != nil || strings.Contains(d.raw, "${DS_") {
			t.Errorf("%s: has an id or inputs of an export", d.UID)
		}
		if d.SchemaVersion < 36 || d.SchemaVersion > 39 {
			t.Errorf("%s: schema version %d is not Grafana 10's", d.UID, d.SchemaVersion)
		}
		if d.Title == "" || d.Description == "" || !slices.Contains(d.Tags, "abs-exporter") || len(d.Links) == 0 {
			t.Errorf("%s: lacks a title, a description, the tag or the links", d.UID)
		}
		kind := "prometheus"
		if d.UID == "abs-exporter-events" {
			kind = "loki"
		}
		// Without a present value Grafana opens the first data source by letters.
		if v := d.Templating.List; len(v) == 0 || v[0].Type != "datasource" || string(v[0].Query) != `"`+kind+`"` || v[0].Current.Value != "default" {
			t.Errorf("%s: the first variable is not the data source, or does not open on Grafana's default", d.UID)
		}
		checkVariables(t, d)
	}
}

// checkVariables checks a dashboard's variables, and that it uses no others.
func checkVariables(t *testing.T, d dashboard) {
	t.Helper()
	names := []string{"__all", "__to", "__value", "__field", "__url_time_range", "__interval", "__range", "__auto"}
	for _, v := range d.Templating.List {
		names = append(names, v.Name)
		if v.Label == "" || v.Description == "" {
			t.Errorf("%s: variable %s has no label or description", d.UID, v.Name)
		}
		if v.Type == "query" && (v.Datasource == nil || v.Datasource.UID != "${datasource}") {
			t.Errorf("%s: variable %s does not use the chosen data source", d.UID, v.Name)
		}
		// Grafana replaces a value that a later answer lacks: of an attack that is over, or a token that
		// left the window. So values are read once, and not again when another variable changes.
		if q, ok := v.prom(t); ok && (v.Refresh != 1 || strings.Contains(q, "$")) {
			t.Errorf("%s: a chosen value of variable %s can be replaced: it is read anew (%d): %s", d.UID, v.Name, v.Refresh, q)
		}
		if v.Name == "token" && v.Type != "textbox" {
			t.Errorf("%s: the token is a %s: a refresh may choose another one", d.UID, v.Type)
		}
		if v.IncludeAll && v.AllValue != ".*" {
			t.Errorf("%s: All of variable %s is not .*, so nothing is shown where it has no values", d.UID, v.Name)
		}
	}
	for _, m := range variableInUse.FindAllStringSubmatch(d.raw, -1) {
		if name := m[1] + m[2]; !slices.Contains(names, name) {
			t.Errorf("%s: there is no variable %s", d.UID, m[0])
		}
	}
}

func TestVariables(t *testing.T) {
	want := map[string][]string{
		"abs-exporter-overview": {"datasource", "target", "api", "attack_type", "range"},
		"abs-exporter-api":      {"datasource", "target", "api", "range"},
		"abs-exporter-token":    {"datasource", "target", "token", "range"},
		"abs-exporter-health":   {"datasource", "target", "range"},
		"abs-exporter-events":   {"loki", "target", "token"},
	}
	for _, d := range load(t) {
		var got []string
		for _, v := range d.Templating.List {
			got = append(got, v.Name)
			if v.Name == "range" && (v.Current.Value != "1h" || !strings.HasPrefix(string(v.Query), `"30m,1h,`)) {
				t.Errorf("%s: the ranges are %s, first %v", d.UID, v.Query, v.Current.Value)
			}
		}
		if !slices.Equal(got, want[d.UID]) {
			t.Errorf("%s: the variables are %q, want %q", d.UID, got, want[d.UID])
		}
	}
}

// Counters step with ABS's batches, so increases are over the chosen range or longer. Over time
// each is about its own stretch, so that none is shown twice or lost, however long the time is.
func TestSpansOfIncreases(t *testing.T) {
	n := 0
	for _, d := range loadProm(t) {
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				checkSpans(t, d, p, q)
				n += strings.Count(q.Expr, "[$__interval]")
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d queries were checked", n)
	}
}

func checkSpans(t *testing.T, d dashboard, p panel, q query) {
	t.Helper()
	if strings.Contains(q.Expr, "$__rate_interval") {
		t.Errorf("%s: %q: an increase of a few scrapes", d.UID, p.Title)
	}
	overTime := strings.Contains(q.Expr, "[$__interval]")
	if q.Range && strings.Contains(q.Expr, "[$range]") || overTime && (q.Instant || p.Interval != "$range") {
		t.Errorf("%s: %q: increases of neighbouring points overlap, or leave something out", d.UID, p.Title)
	}
	// A span that grows with the chosen time has a bounded number of samples, but of the few series
	// that count attacks by type: a graph of that time reads as many of them.
	rest := strings.NewReplacer("[$__range:$__interval]", "", "abs_attack_detections_total{target=~\"$target\", attack_type=~\"$attack_type\", api=~\"$api\"}[$__range]", "", "offset $__range", "").Replace(q.Expr)
	if strings.Contains(rest, "$__range") {
		t.Errorf("%s: %q: reads every sample of the chosen time", d.UID, p.Title)
	}
}

func TestPanels(t *testing.T) {
	for _, d := range load(t) {
		ids, titles := map[int]bool{}, map[string]bool{}
		for _, p := range d.Panels {
			if ids[p.ID] || p.ID == 0 || titles[p.Title] || p.Title == "" {
				t.Errorf("%s: panel %d %q: the id or the title is not its own", d.UID, p.ID, p.Title)
			}
			ids[p.ID], titles[p.Title] = true, true
			if p.Type != "row" {
				checkPanel(t, d, p)
			}
			if p.Collapsed != (len(p.Panels) > 0) {
				t.Errorf("%s: row %q is collapsed: %v, with %d panels in it", d.UID, p.Title, p.Collapsed, len(p.Panels))
			}
		}
	}
}

// The dashboard of a token says whose it is, and what it shows first is whether anybody knows.
func TestFirstPanels(t *testing.T) {
	for _, d := range loadProm(t) {
		first := d.Panels[0]
		switch d.UID {
		case "abs-exporter-token":
			if first.Type != "row" || !strings.Contains(first.Title, "$token") {
				t.Errorf("%s: the first row is %q", d.UID, first.Title)
			}
			continue
		case "abs-exporter-api":
			if first.Type != "row" || !strings.Contains(first.Title, "${api:text}") {
				t.Errorf("%s: the first row is %q", d.UID, first.Title)
			}
			first = d.Panels[1]
		}
		if first.Title != "Blind targets" {
			t.Errorf("%s: begins with %q", d.UID, first.Title)
		}
	}
}

// A text that names what is chosen says All, and not the expression that All is in queries.
func TestTextsNameWhatIsChosen(t *testing.T) {
	n := 0
	for _, d := range load(t) {
		for _, p := range d.Panels {
			for _, m := range variableInUse.FindAllStringSubmatch(p.Title+p.Options.Content, -1) {
				several := slices.ContainsFunc(d.Templating.List, func(v variable) bool { return v.Name == m[1]+m[2] && v.IncludeAll })
				if several && m[3] != ":text" {
					t.Errorf("%s: %q shows .* for %s", d.UID, p.Title, m[0])
				}
				n++
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d variables were checked", n)
	}
}

// Titles of narrow panels are not cut. test-grafana measures them; a letter is as wide as 1/6.75 of
// a column.
func TestTitlesFit(t *testing.T) {
	for _, d := range load(t) {
		for _, p := range d.Panels {
			if title := strings.ReplaceAll(p.Title, "$range", "1h"); p.Type == "stat" && 4*len(title) > 27*p.GridPos.W {
				t.Errorf("%s: %q is cut at a width of %d columns", d.UID, p.Title, p.GridPos.W)
			}
		}
	}
}

// Where a graph has several lines beside a limit, each has a name that is known and a colour.
func TestLinesCanBeDistinguished(t *testing.T) {
	for _, d := range loadProm(t) {
		for _, p := range d.Panels {
			var names []string
			for _, q := range p.Targets {
				if p.Type == "timeseries" && q.LegendFormat != "limit" {
					names = append(names, q.LegendFormat)
				}
			}
			if len(names) < 2 {
				continue
			}
			for _, name := range names {
				if !slices.ContainsFunc(p.FieldConfig.Overrides, func(o override) bool { return o.Matcher.Options == name }) {
					t.Errorf("%s: %q: the lines %q have the colour of the others", d.UID, p.Title, name)
				}
			}
		}
	}
}

// What does not go by the chosen API says so.
func TestFilterByAPI(t *testing.T) {
	ofTargets := []string{"Blind targets", "Data age"}
	n := 0
	for _, d := range load(t) {
		if !slices.ContainsFunc(d.Templating.List, func(v variable) bool { return v.Name == "api" }) {
			continue
		}
		for _, p := range d.Panels {
			filtered := !slices.ContainsFunc(p.Targets, func(q query) bool {
				return !strings.Contains(q.Expr, "$api")
			})
			if len(p.Targets) > 0 && !filtered && !strings.Contains(p.Title, "all APIs") && !slices.Contains(ofTargets, p.Title) {
				t.Errorf("%s: %q: the chosen API changes nothing, and the title does not say so", d.UID, p.Title)
			}
			n++
		}
	}
	if n < 30 {
		t.Errorf("only %d panels were checked", n)
	}
}

// Severities are ranks, which sort and compare as names do not, shown as names in their colours.
func TestSeveritiesAreRanks(t *testing.T) {
	want := map[string]string{"4": "critical", "3": "unknown", "2": "warning", "1": "info", "0": "none"}
	n := 0
	for _, d := range load(t) {
		for _, p := range d.Panels {
			mappings := p.FieldConfig.Defaults.Mappings
			switch {
			case p.Type == "state-timeline", strings.Contains(p.Title, "Worst severity"):
			case p.Type == "table" && p.renames("severity") != "":
				t.Errorf("%s: %q sorts severities by letters", d.UID, p.Title)
				continue
			case p.Type == "table" && slices.Contains(p.columns(), "Severity"):
				sorted := p.Transformations[len(p.Transformations)-1].Options.Sort[0]
				if sorted.Field != "Severity" || !sorted.Desc {
					t.Errorf("%s: %q: the worst is not first: %+v", d.UID, p.Title, sorted)
				}
				mappings = p.mappingsOf(t, "Severity")
			default:
				continue
			}
			n++
			got := texts(t, mappings)
			for rank, name := range want {
				if got[rank].Text != name || got[rank].Color == "" {
					t.Errorf("%s: %q shows rank %s as %+v, want %s", d.UID, p.Title, rank, got[rank], name)
				}
			}
		}
	}
	if n < 8 {
		t.Errorf("only %d panels were checked", n)
	}
}

// Dates of Grafana are milliseconds, and series have seconds.
func TestDatesAreMilliseconds(t *testing.T) {
	n := 0
	for _, d := range loadProm(t) {
		for _, p := range d.Panels {
			for _, q := range p.dates() {
				n++
				if !strings.Contains(q.Expr, "1000 * ") {
					t.Errorf("%s: %q: %s shows seconds as milliseconds", d.UID, p.Title, q.RefID)
				}
			}
		}
		for _, a := range d.Annotations.List {
			if a.UseValueForTime && !strings.HasPrefix(a.Expr, "1000 * ") {
				t.Errorf("%s: annotation %s is of 1970", d.UID, a.Name)
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d dates were checked", n)
	}
}

// Each dashboard shows when attacks began, and why there may be gaps; each can be switched off.
func TestAnnotations(t *testing.T) {
	for _, d := range loadProm(t) {
		want := []string{"Attack began", "Exporter restarted", "ABS unreachable"}
		if d.UID == "abs-exporter-health" {
			want = want[1:]
		}
		var got []string
		for _, a := range d.Annotations.List[1:] {
			got = append(got, a.Name)
			if a.Hide || !a.Enable || a.Datasource.UID != "${datasource}" {
				t.Errorf("%s: annotation %s has no switch, or not the chosen data source", d.UID, a.Name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: the annotations are %q, want %q", d.UID, got, want)
		}
	}
}

func checkPanel(t *testing.T, d dashboard, p panel) {
	t.Helper()
	if !slices.Contains([]string{"stat", "timeseries", "table", "bargauge", "status-history", "state-timeline", "heatmap", "logs", "text"}, p.Type) {
		t.Errorf("%s: %q: the kind %s is not known to be in Grafana 10 to 13", d.UID, p.Title, p.Type)
	}
	if !strings.HasSuffix(p.Description, ".") {
		t.Errorf("%s: %q has no description, or it is no sentence: %q", d.UID, p.Title, p.Description)
	}
	if p.Type == "text" || p.Type == "logs" {
		return
	}
	chosen := "${datasource}"
	if d.UID == "abs-exporter-events" {
		chosen = "${loki}"
	}
	if p.FieldConfig.Defaults.Unit == "" || p.FieldConfig.Defaults.NoValue == "" {
		t.Errorf("%s: %q has no unit, or does not say what no value means", d.UID, p.Title)
	}
	if p.Datasource == nil || p.Datasource.UID != chosen || len(p.Targets) == 0 {
		t.Errorf("%s: %q does not use the chosen data source", d.UID, p.Title)
	}
	if p.Type == "stat" {
		saysUnknown(t, d, p)
	}
	for _, q := range p.Targets {
		// A trend has a value at every moment, NaN among them.
		trend := p.Type == "stat" && strings.Contains(q.Expr, "vector(NaN)")
		if now := p.Type == "stat" && !trend || p.Type == "table" || p.Type == "bargauge"; now != q.Instant {
			t.Errorf("%s: %q: query %s asks for now: %v, want %v", d.UID, p.Title, q.RefID, q.Instant, now)
		}
		if q.Datasource == nil || q.Datasource.UID != chosen || q.Instant == q.Range {
			t.Errorf("%s: %q: query %s does not use the chosen data source, or is for neither now nor a range", d.UID, p.Title, q.RefID)
		}
		if p.Type != "stat" && p.Type != "table" && !legendLabel.MatchString(q.LegendFormat) && len(p.Targets) == 1 {
			t.Errorf("%s: %q: the legend names nothing", d.UID, p.Title)
		}
	}
}

// saysUnknown checks that a panel of one number has the colour of a doubt where there is no number:
// Grafana would use that of the lowest threshold, which is an all-clear.
func saysUnknown(t *testing.T, d dashboard, p panel) {
	t.Helper()
	f := p.FieldConfig.Defaults
	if null := texts(t, f.Mappings)["null"]; f.NoValue != "unknown" || null.Text != "unknown" || null.Color != doubt {
		t.Errorf("%s: %q does not show unknown in the colour of a doubt", d.UID, p.Title)
	}
}

func TestGrid(t *testing.T) {
	for _, d := range load(t) {
		used := map[[2]int]string{}
		collapsed := map[string]bool{}
		for _, p := range d.Panels {
			for _, inner := range p.Panels {
				collapsed[inner.Title] = true
			}
			g := p.GridPos
			if collapsed[p.Title] {
				continue // shown only once its row is opened, which moves all below
			}
			if g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
				t.Errorf("%s: %q does not fit: %+v", d.UID, p.Title, g)
			}
			for x := g.X; x < g.X+g.W; x++ {
				for y := g.Y; y < g.Y+g.H; y++ {
					if other, ok := used[[2]int{x, y}]; ok {
						t.Fatalf("%s: %q lies on %q", d.UID, p.Title, other)
					}
					used[[2]int{x, y}] = p.Title
				}
			}
		}
	}
}

// Links lead to dashboards that are here, with the data source and the time.
func TestLinks(t *testing.T) {
	counts := map[string]int{}
	for _, d := range load(t) {
		for text := d.raw; ; {
			_, after, ok := strings.Cut(text, `"/d/`)
			if !ok {
				break
			}
			text = after
			url, _, _ := strings.Cut(text, `"`)
			uid, params, _ := strings.Cut(url, "?")
			counts[uid]++
			if !slices.Contains(uids, uid) {
				t.Errorf("%s: leads to %s", d.UID, url)
			}
			want := []string{"${datasource:queryparam}", "${target:queryparam}", "${range:queryparam}", "${__url_time_range}"}
			switch uid {
			case "abs-exporter-token":
				want = append(want, "var-token=")
			case "abs-exporter-api":
				want = append(want, "${target:queryparam}")
			}
			for _, w := range want {
				if !strings.Contains(params, w) {
					t.Errorf("%s: %s loses %s", d.UID, url, w)
				}
			}
		}
	}
	for _, uid := range []string{"abs-exporter-api", "abs-exporter-token", "abs-exporter-health"} {
		if counts[uid] < 2 {
			t.Errorf("only %d links lead to %s", counts[uid], uid)
		}
	}
}
