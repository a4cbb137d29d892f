package dashboards

import (
	"slices"
	"strings"
	"testing"
)

// uids are those that links and alerts refer to.
var uids = []string{"abs-exporter-health", "abs-exporter-overview", "abs-exporter-token"}

// Colours, as in docs/dashboards.md.
const (
	doubt    = "#E69F00"
	allClear = "#009E73"
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
		if v := d.Templating.List; len(v) == 0 || v[0].Name != "datasource" || v[0].Type != "datasource" || string(v[0].Query) != `"prometheus"` {
			t.Errorf("%s: the first variable is not the data source", d.UID)
		}
		checkVariables(t, d)
	}
}

// checkVariables checks a dashboard's variables, and that it uses no others.
func checkVariables(t *testing.T, d dashboard) {
	t.Helper()
	names := []string{"__all", "__to", "__value", "__field", "__url_time_range"}
	for _, v := range d.Templating.List {
		names = append(names, v.Name)
		if v.Label == "" || v.Description == "" {
			t.Errorf("%s: variable %s has no label or description", d.UID, v.Name)
		}
		if v.Type == "query" && (v.Datasource == nil || v.Datasource.UID != "${datasource}") {
			t.Errorf("%s: variable %s does not use the chosen data source", d.UID, v.Name)
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
		"abs-exporter-token":    {"datasource", "target", "token", "range"},
		"abs-exporter-health":   {"datasource", "target", "range"},
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
		if strings.Contains(d.raw, "$__rate_interval") || strings.Contains(d.raw, "$__interval") {
			t.Errorf("%s: counters step with ABS's batches: increases are over $range", d.UID)
		}
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
		}
	}
}

func checkPanel(t *testing.T, d dashboard, p panel) {
	t.Helper()
	if !slices.Contains([]string{"stat", "timeseries", "table", "bargauge", "status-history", "state-timeline", "text"}, p.Type) {
		t.Errorf("%s: %q: the kind %s is not known to be in Grafana 10 to 13", d.UID, p.Title, p.Type)
	}
	if !strings.HasSuffix(p.Description, ".") {
		t.Errorf("%s: %q has no description, or it is no sentence: %q", d.UID, p.Title, p.Description)
	}
	if p.Type == "text" {
		return
	}
	if p.FieldConfig.Defaults.Unit == "" || p.FieldConfig.Defaults.NoValue == "" {
		t.Errorf("%s: %q has no unit, or does not say what no value means", d.UID, p.Title)
	}
	if p.Datasource == nil || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
		t.Errorf("%s: %q does not use the chosen data source", d.UID, p.Title)
	}
	if p.Type == "stat" {
		saysUnknown(t, d, p)
	}
	for _, q := range p.Targets {
		if now := p.Type == "stat" || p.Type == "table" || p.Type == "bargauge"; now != q.Instant {
			t.Errorf("%s: %q: query %s asks for now: %v, want %v", d.UID, p.Title, q.RefID, q.Instant, now)
		}
		if q.Datasource == nil || q.Datasource.UID != "${datasource}" || q.Instant == q.Range {
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
	i := slices.IndexFunc(f.Mappings, func(m mapping) bool { return m.Type == "special" && m.Options.Match == "null" })
	if i < 0 || f.NoValue != "unknown" || f.Mappings[i].Options.Result.Text != "unknown" || f.Mappings[i].Options.Result.Color != doubt {
		t.Errorf("%s: %q does not show unknown in the colour of a doubt", d.UID, p.Title)
	}
}

func TestGrid(t *testing.T) {
	for _, d := range load(t) {
		used := map[[2]int]string{}
		for _, p := range d.Panels {
			g := p.GridPos
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

// Links lead to dashboards that are here, with the token, the data source and the time.
func TestLinks(t *testing.T) {
	n := 0
	for _, d := range load(t) {
		for text := d.raw; ; {
			_, after, ok := strings.Cut(text, `"/d/`)
			if !ok {
				break
			}
			text = after
			url, _, _ := strings.Cut(text, `"`)
			uid, params, _ := strings.Cut(url, "?")
			n++
			if !slices.Contains(uids, uid) {
				t.Errorf("%s: leads to %s", d.UID, url)
			}
			for _, want := range []string{"var-token=", "${datasource:queryparam}", "${target:queryparam}", "${range:queryparam}", "${__url_time_range}"} {
				if !strings.Contains(params, want) {
					t.Errorf("%s: %s loses %s", d.UID, url, want)
				}
			}
		}
	}
	if n < 2 {
		t.Errorf("only %d links lead to the dashboard of a token", n)
	}
}
