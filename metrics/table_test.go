package metrics

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
)

// The public names are in a list of their own, so that the table cannot rename one unnoticed.
func TestTableIsThePublicInterface(t *testing.T) {
	list, err := os.ReadFile("testdata/interface.txt")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(list)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			want = append(want, line)
		}
	}
	var got []string
	for _, f := range Table() {
		labels := f.Labels
		if f == BuildInfo || f == LogLinesDropped || f == ReloadSuccessful || f == ReloadSuccess || f.Group == GroupPush {
			if slices.Contains(f.Labels, LabelTarget) {
				t.Errorf("%s is about the process and must not have a target", f.Name)
			}
		} else {
			if len(labels) == 0 || labels[0] != LabelTarget {
				t.Errorf("%s: the first label is not target: %v", f.Name, labels)
				continue
			}
			labels = labels[1:]
		}
		got = append(got, strings.TrimSpace(f.Name+" "+strings.Join(labels, " ")))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the table and testdata/interface.txt differ:\ntable:\n%s\n\ninterface:\n%s",
			strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Every family of table.go is in Table.
func TestTableHoldsEveryFamily(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "table.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.CompositeLit); ok {
			if id, ok := lit.Type.(*ast.Ident); ok && id.Name == "Family" {
				declared++
			}
		}
		return true
	})
	table := Table()
	if declared != len(table) {
		t.Errorf("table.go declares %d families, Table has %d", declared, len(table))
	}
	seen := map[*Family]bool{}
	for _, f := range table {
		if seen[f] {
			t.Errorf("%s is in Table twice", f.Name)
		}
		seen[f] = true
	}
}

func TestTableIsWellFormed(t *testing.T) {
	names := map[string]bool{}
	for _, f := range Table() {
		if names[f.Name] {
			t.Errorf("%s is there twice", f.Name)
		}
		names[f.Name] = true
		// In OpenMetrics a counter has no _total, and must not have another family's name.
		if om := f.openMetricsName(); om != f.Name && slices.ContainsFunc(Table(), func(g *Family) bool { return g.Name == om }) {
			t.Errorf("%s is %s in OpenMetrics, which is another family's name", f.Name, om)
		}
		if f.Help == "" || !strings.HasSuffix(f.Help, ".") || strings.Contains(f.Help, "TODO") || len(f.Help) > 200 {
			t.Errorf("%s: help must be one or two sentences, 200 bytes at most: %q (%d)", f.Name, f.Help, len(f.Help))
		}
		if f.Stability != Stable && f.Stability != Experimental {
			t.Errorf("%s: stability %q", f.Name, f.Stability)
		}
		if !slices.Contains([]Group{GroupCounters, GroupWindow, GroupState, GroupHealth, GroupPush}, f.Group) {
			t.Errorf("%s: group %q", f.Name, f.Group)
		}
		checkTypeAndUnit(t, f)
		for name, values := range f.LabelValues {
			if !slices.Contains(f.Labels, name) || len(values) == 0 {
				t.Errorf("%s: closed set for label %s", f.Name, name)
			}
		}
	}
}

func checkTypeAndUnit(t *testing.T, f *Family) {
	t.Helper()
	if (f.Type == Histogram) != (len(f.Buckets) > 0) || !slices.IsSorted(f.Buckets) {
		t.Errorf("%s: type %s with buckets %v", f.Name, f.Type, f.Buckets)
	}
	if f.Type == Histogram && f.InSnapshot() {
		t.Errorf("%s: snapshots cannot have histograms", f.Name)
	}
	if f.Counted && f.Group != GroupHealth {
		t.Errorf("%s: Counted says nothing in group %s", f.Name, f.Group)
	}
	if f.Scale != 0 && (f.Type != Gauge || !f.InSnapshot()) {
		t.Errorf("%s: Scale is for gauges of snapshots", f.Name)
	}
	// No gauge has the unit 1, and no unit contradicts the name.
	if f.Unit == "1" {
		t.Errorf("%s: unit 1 would be turned into _ratio over OTLP", f.Name)
	}
	for _, unit := range []string{"seconds", "bytes"} {
		if strings.Contains(f.Name, "_"+unit) != (f.Unit == unit) {
			t.Errorf("%s: unit %q", f.Name, f.Unit)
		}
	}
}

// The checks of promtool check metrics, on what is served.
func TestLintFindsNothing(t *testing.T) {
	e := fullExposition(t)
	body := scrape(t, e, "", "").text
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "abs_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	// Everything in the table must have been checked.
	served := decodeAs(t, body, "text/plain; version=0.0.4")
	for _, f := range Table() {
		family := served[f.Name]
		if family == nil {
			t.Errorf("%s is not served", f.Name)
			continue
		}
		want := map[Type]dto.MetricType{
			Counter: dto.MetricType_COUNTER, Gauge: dto.MetricType_GAUGE, Histogram: dto.MetricType_HISTOGRAM,
		}[f.Type]
		if family.GetType() != want || family.GetHelp() != f.Help {
			t.Errorf("%s: served as %s with help %q", f.Name, family.GetType(), family.GetHelp())
		}
		var labels []string
		for _, l := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		slices.Sort(labels)
		if want := slices.Sorted(slices.Values(f.Labels)); !slices.Equal(labels, want) {
			t.Errorf("%s: served with labels %v, the table has %v", f.Name, labels, want)
		}
	}
	for name := range served {
		if strings.HasPrefix(name, "abs_") && !slices.ContainsFunc(Table(), func(f *Family) bool { return f.Name == name }) {
			t.Errorf("%s is served and not in the table", name)
		}
	}
}
