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
	for _, d := range loadProm(t) {
		for _, v := range d.Templating.List {
			if q, ok := v.prom(t); ok {
				n += checkVariable(t, d.UID+": variable "+v.Name, q)
			}
		}
		for _, p := range d.Panels {
			n += checkTargets(t, fmt.Sprintf("%s: %q", d.UID, p.Title), p)
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

// checkTargets returns how many queries a panel has.
func checkTargets(t *testing.T, where string, p panel) int {
	t.Helper()
	var all []string
	for _, q := range p.Targets {
		names, err := queries.Labels(fill(q.Expr, defaults()))
		if err != nil {
			t.Errorf("%s: %s: %v", where, q.RefID, err)
		}
		for _, m := range legendLabel.FindAllStringSubmatch(q.LegendFormat, -1) {
			if !slices.Contains(names, m[1]) {
				t.Errorf("%s: %s: the result has no label %s, but %q", where, q.RefID, m[1], names)
			}
		}
		all = append(all, names...)
	}
	for _, label := range p.labels() {
		if !slices.Contains(all, label) && !slices.Contains(all, "*") {
			t.Errorf("%s: no result has the label %s of a column, but %q", where, label, all)
		}
	}
	return len(p.Targets)
}

// Every colour, width and sort order of a table is for a column that exists.
func TestNamesOfColumns(t *testing.T) {
	for _, d := range loadProm(t) {
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
