package dashboards

import (
	"fmt"
	"slices"
	"testing"

	"github.com/abs-exporter/abs-exporter/test/queries"
)

// Every query of every panel and variable fits the table of metrics, and its result has the labels
// that the legend, the columns and the links name.
func TestQueries(t *testing.T) {
	n := 0
	for _, d := range load(t) {
		for _, v := range d.Templating.List {
			if q, ok := v.prom(t); ok {
				n += checkVariable(t, d.UID+": variable "+v.Name, q)
			}
		}
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				n++
				checkTarget(t, fmt.Sprintf("%s: %q: %s", d.UID, p.Title, q.RefID), p, q)
			}
		}
	}
	if n < 60 {
		t.Errorf("only %d queries were checked", n)
	}
}

// checkVariable returns how many expressions the query of a variable has.
func checkVariable(t *testing.T, where, q string) int {
	t.Helper()
	exprs, label := questions(t, q)
	for _, expr := range exprs {
		if label != "" { // Grafana reads series, not values
			expr = "count_over_time(" + expr + "[5m])"
		}
		names, err := queries.Labels(fill(expr, defaults()))
		if err != nil {
			t.Errorf("%s: %v", where, err)
		} else if label != "" && !slices.Contains(names, label) {
			t.Errorf("%s: %s has no label %s", where, expr, label)
		}
	}
	return len(exprs)
}

func checkTarget(t *testing.T, where string, p panel, q query) {
	t.Helper()
	names, err := queries.Labels(fill(q.Expr, defaults()))
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	for _, label := range named(p, q) {
		if !slices.Contains(names, label) {
			t.Errorf("%s: the result has no label %s, but %q", where, label, names)
		}
	}
}

// named returns the labels that a panel shows of a query's result.
func named(p panel, q query) []string {
	var out []string
	for _, m := range legendLabel.FindAllStringSubmatch(q.LegendFormat, -1) {
		out = append(out, m[1])
	}
	for _, tr := range p.Transformations {
		for name := range tr.Options.IndexByName {
			if q.RefID == "A" && len(name) > 0 && name[0] >= 'a' && name[0] <= 'z' { // the values are Value, Value #A
				out = append(out, name)
			}
		}
	}
	return out
}

// Every colour, width and sort order of a table is for a column that exists.
func TestNamesOfColumns(t *testing.T) {
	for _, d := range load(t) {
		for _, p := range d.Panels {
			if p.Type == "table" {
				checkColumns(t, fmt.Sprintf("%s: %q", d.UID, p.Title), p)
			}
		}
	}
}

func checkColumns(t *testing.T, where string, p panel) {
	t.Helper()
	columns := []string{}
	for _, tr := range p.Transformations {
		for _, name := range tr.Options.RenameByName {
			columns = append(columns, name.(string))
		}
		for _, s := range tr.Options.Sort {
			if !slices.Contains(columns, s.Field) {
				t.Errorf("%s is sorted by %q, which is no column", where, s.Field)
			}
		}
	}
	for _, o := range p.FieldConfig.Overrides {
		if !slices.Contains(columns, o.Matcher.Options) {
			t.Errorf("%s: there is no column %q", where, o.Matcher.Options)
		}
	}
}
