package dashboards

import (
	"encoding/json"
	"io/fs"
	"regexp"
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
	Inputs                  []any `json:"__inputs"`

	raw string
}

type variable struct {
	Name, Label, Description, Type, AllValue, Regex string
	Query                                           json.RawMessage
	Datasource                                      *struct{ UID string }
	Multi, IncludeAll                               bool
	Current                                         struct{ Value any }
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ H, W, X, Y int }
	Datasource               *struct{ Type, UID string }
	Targets                  []query
	FieldConfig              struct {
		Defaults struct {
			Unit       string
			NoValue    string
			Links      []link
			Mappings   []mapping
			Thresholds struct{ Steps []step }
		}
		Overrides []struct {
			Matcher    struct{ ID, Options string }
			Properties []struct {
				ID    string
				Value json.RawMessage
			}
		}
	}
	Transformations []struct {
		ID      string
		Options struct {
			IndexByName, RenameByName map[string]any
			Sort                      []struct{ Field string }
		}
	}
}

type link struct{ URL string }

// mapping is the text shown for a value, such as null.
type mapping struct {
	Type    string
	Options struct {
		Match  string
		Result struct{ Text, Color string }
	}
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

type query struct {
	RefID, Expr, LegendFormat, Format string
	Instant, Range                    bool
	Datasource                        *struct{ UID string }
}

// load reads every dashboard that the binary carries.
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
		all = append(all, d)
	}
	return all
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

// The first two are Grafana's own (packages/grafana-prometheus), which do not match a query on
// several lines.
var (
	labelValues   = regexp.MustCompile(`^label_values\((?:(.+),\s*)?([a-zA-Z_$][a-zA-Z0-9_]*)\)\s*$`)
	queryResult   = regexp.MustCompile(`^query_result\((.+)\)\s*$`)
	severalNames  = regexp.MustCompile(`\{__name__=~"([^"]+)", *`)
	legendLabel   = regexp.MustCompile(`\{\{ *(\w+) *\}\}`)
	variableInUse = regexp.MustCompile(`\$(\w+)|\$\{(\w+)(:[^}]*)?\}`)
)

// questions returns the PromQL of a variable's query, and the label whose values it reads.
func questions(t *testing.T, q string) (exprs []string, label string) {
	t.Helper()
	if m := queryResult.FindStringSubmatch(q); m != nil {
		return []string{strings.TrimSpace(m[1])}, ""
	}
	m := labelValues.FindStringSubmatch(q)
	if m == nil {
		t.Fatalf("the query of a variable is neither label_values nor query_result: %s", q)
	}
	names := severalNames.FindStringSubmatch(m[1])
	if names == nil {
		return []string{m[1]}, m[2]
	}
	for _, name := range strings.Split(names[1], "|") {
		exprs = append(exprs, name+"{"+strings.TrimPrefix(m[1], names[0]))
	}
	return exprs, m[2]
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
	return map[string]string{"target": ".*", "api": ".*", "attack_type": ".*", "token": "0123456789abcdef", "range": "1h"}
}
