package dashboards

import (
	"encoding/json"
	"io/fs"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/abs-exporter/abs-exporter/dashboards"
)

// dashboard is Grafana's JSON model, as far as the tests check it.
type dashboard struct {
	UID, Title, Description string
	SchemaVersion           int
	ID                      *int
	Tags                    []string
	Links                   []struct{ Type string }
	Templating              struct{ List []variable }
	Panels                  []panel
	Annotations             struct{ List []annotation }
	Inputs                  []any `json:"__inputs"`

	raw string
}

type variable struct {
	Name, Label, Description, Type, AllValue string
	Query                                    json.RawMessage
	Datasource                               *struct{ UID string }
	Multi, IncludeAll                        bool
	Refresh                                  int
	Current                                  struct{ Value any }
}

type annotation struct {
	Name, Expr, TextFormat string
	Enable, Hide           bool
	UseValueForTime        bool
	Datasource             struct{ UID string }
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ H, W, X, Y int }
	Datasource               *struct{ Type, UID string }
	Targets                  []query
	Interval                 string
	MaxDataPoints            int
	Links                    []link
	Collapsed                bool
	Panels                   []panel // of a row that is collapsed
	FieldConfig              struct {
		Defaults struct {
			Unit       string
			NoValue    string
			Links      []link
			Mappings   []mapping
			Thresholds struct{ Steps []step }
		}
		Overrides []override
	}
	Options         struct{ Content string } // of a text
	Transformations []struct {
		ID      string
		Options struct {
			IndexByName, RenameByName map[string]any
			Sort                      []struct {
				Field string
				Desc  bool
			}
		}
	}
}

type link struct{ URL string }

// override changes how one column, or one series, is shown.
type override struct {
	Matcher    struct{ ID, Options string }
	Properties []struct {
		ID    string
		Value json.RawMessage
	}
}

// mapping is the text shown for a value, or for a special one such as null.
type mapping struct {
	Type    string
	Options json.RawMessage
}

type said struct{ Text, Color string }

// texts returns the texts by value, "null" and "nan" among them.
func texts(t *testing.T, mappings []mapping) map[string]said {
	t.Helper()
	all := map[string]said{}
	for _, m := range mappings {
		var special struct {
			Match  string
			Result said
		}
		var err error
		if m.Type == "special" {
			if err = json.Unmarshal(m.Options, &special); err == nil {
				all[special.Match] = special.Result
			}
		} else {
			err = json.Unmarshal(m.Options, &all)
		}
		if err != nil {
			t.Fatalf("mapping %s: %v", m.Options, err)
		}
	}
	return all
}

// step is the colour from a value on; the first has no value.
type step struct {
	Value *float64
	Color string
}

// colour returns the colour of a number in a panel with thresholds.
func (p panel) colour(v float64) string {
	out := ""
	for _, s := range p.FieldConfig.Defaults.Thresholds.Steps {
		if s.Value == nil || v >= *s.Value {
			out = s.Color
		}
	}
	return out
}

// renames returns the title of a column by the name of its label or value.
func (p panel) renames(name string) string {
	for _, tr := range p.Transformations {
		if title, ok := tr.Options.RenameByName[name]; ok {
			return title.(string)
		}
	}
	return ""
}

// dates returns the queries whose values are shown as dates.
func (p panel) dates() (out []query) {
	if strings.HasPrefix(p.FieldConfig.Defaults.Unit, "dateTime") {
		out = append(out, p.Targets...)
	}
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			if property.ID == "unit" && strings.HasPrefix(string(property.Value), `"dateTime`) {
				out = append(out, p.queriesOf(o.Matcher.Options)...)
			}
		}
	}
	return out
}

// queriesOf returns the queries whose values a column shows.
func (p panel) queriesOf(title string) (out []query) {
	for _, q := range p.Targets {
		if p.renames("Value #"+q.RefID) == title || p.renames("Value") == title {
			out = append(out, q)
		}
	}
	return out
}

// labels returns the labels that a table shows. Its other columns are values: Value or Value #A.
func (p panel) labels() (names []string) {
	for _, tr := range p.Transformations {
		for name := range tr.Options.IndexByName {
			if name[0] >= 'a' && name[0] <= 'z' {
				names = append(names, name)
			}
		}
	}
	return names
}

// columns returns the titles of a table's columns.
func (p panel) columns() (titles []string) {
	for _, tr := range p.Transformations {
		for _, title := range tr.Options.RenameByName {
			titles = append(titles, title.(string))
		}
	}
	return titles
}

// mappingsOf returns the texts that a column shows in place of values.
func (p panel) mappingsOf(t *testing.T, title string) (all []mapping) {
	t.Helper()
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			if o.Matcher.Options == title && property.ID == "mappings" {
				if err := json.Unmarshal(property.Value, &all); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return all
}

// linked returns the labels whose cells of a table are links.
func (p panel) linked() (labels []string) {
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			for _, label := range p.labels() {
				if property.ID == "links" && p.renames(label) == o.Matcher.Options {
					labels = append(labels, label)
				}
			}
		}
	}
	return labels
}

// clear reports whether a value of a query looks as if all were well. In a table a rank of what is
// blind does not, and neither does a date, a number or a word on a colour that is no all-clear.
func (p panel) clear(t *testing.T, q query, v float64) bool {
	t.Helper()
	if math.IsNaN(v) {
		nan := texts(t, p.FieldConfig.Defaults.Mappings)["nan"]
		return p.Type == "stat" && nan.Color != doubt
	}
	if p.Type != "table" {
		shown := texts(t, p.FieldConfig.Defaults.Mappings)[strconv.FormatFloat(v, 'f', -1, 64)]
		return p.colour(v) == allClear || shown.Color == allClear || shown.Text == "none"
	}
	column := p.renames("Value #" + q.RefID)
	if column == "" {
		column = p.renames("Value")
	}
	shown := texts(t, p.mappingsOf(t, column))[strconv.FormatFloat(v, 'f', -1, 64)]
	return shown.Color == allClear || shown.Text == "none" || shown.Text == "over"
}

type query struct {
	RefID, Expr, LegendFormat, Format string
	Instant, Range                    bool
	Datasource                        *struct{ UID string }
}

// load reads every dashboard that the binary carries. Panels has those of collapsed rows too.
func load(t *testing.T) []dashboard {
	t.Helper()
	var all []dashboard
	names, err := fs.Glob(dashboards.FS, "*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(dashboards.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		d := dashboard{raw: string(data)}
		if err := json.Unmarshal(data, &d); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if name != d.UID+".json" {
			t.Errorf("%s has the uid %s", name, d.UID)
		}
		var panels []panel
		for _, p := range d.Panels {
			panels = append(append(panels, p), p.Panels...)
		}
		d.Panels = panels
		all = append(all, d)
	}
	return all
}

// loadProm is load without the dashboard of a Loki.
func loadProm(t *testing.T) []dashboard {
	t.Helper()
	return slices.DeleteFunc(load(t), func(d dashboard) bool { return d.UID == "abs-exporter-events" })
}

// prom returns the query of a variable, and whether it is one for Prometheus.
func (v variable) prom(t *testing.T) (string, bool) {
	t.Helper()
	if v.Type != "query" {
		return "", false
	}
	var q struct{ Query string }
	if err := json.Unmarshal(v.Query, &q); err != nil {
		t.Fatalf("variable %s: %v", v.Name, err)
	}
	return q.Query, true
}

// The first is Grafana's own (packages/grafana-prometheus), which does not match a query on several
// lines.
var (
	labelValues   = regexp.MustCompile(`^label_values\((?:(.+),\s*)?([a-zA-Z_$][a-zA-Z0-9_]*)\)\s*$`)
	severalNames  = regexp.MustCompile(`^\{__name__=~"([^"]+)"\}$`)
	legendLabel   = regexp.MustCompile(`\{\{ *(\w+) *\}\}`)
	variableInUse = regexp.MustCompile(`\$(\w+)|\$\{(\w+)(:[^}]*)?\}`)
)

// questions returns the PromQL of a variable's query, and the label whose values it reads.
func questions(t *testing.T, q string) (exprs []string, label string) {
	t.Helper()
	m := labelValues.FindStringSubmatch(q)
	if m == nil {
		t.Fatalf("the query of a variable is no label_values: %s", q)
	}
	names := severalNames.FindStringSubmatch(m[1])
	if names == nil {
		return []string{m[1]}, m[2]
	}
	return strings.Split(names[1], "|"), m[2]
}

// fill replaces variables by their values.
func fill(text string, values map[string]string) string {
	return variableInUse.ReplaceAllStringFunc(text, func(use string) string {
		m := variableInUse.FindStringSubmatch(use)
		if v, ok := values[m[1]+m[2]]; ok {
			return v
		}
		return use
	})
}

// defaults returns the variables as the dashboard opens.
func defaults() map[string]string {
	return map[string]string{"target": ".*", "api": ".*", "attack_type": ".*", "token": "0123456789abcdef", "range": "1h", "__interval": "1h", "__range": "12h"}
}
