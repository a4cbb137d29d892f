package collector

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/abs-exporter/abs-exporter/abs/reports"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// The labels report and reason have closed sets of values, so that each series exists from the
// start, at 0. They are what the client of ABS calls its reports and reasons; metrics imports no
// abs.
func TestReportsAndReasonsAreThoseOfTheClient(t *testing.T) {
	constants := func(name, prefix string) (values []string) {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || !strings.HasPrefix(spec.Names[0].Name, prefix) {
				return true
			}
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
			return true
		})
		return values
	}
	for label, want := range map[string][]string{
		"report": constants("../abs/reports/reader.go", "Kind"), "reason": constants("../abs/error.go", "Reason"),
	} {
		if got := metrics.ReportFailures.LabelValues[label]; len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("label %s: metrics has %q, and abs %q", label, got, want)
		}
	}
	if got, want := metrics.ReportRowsSkipped.LabelValues["reason"], []string{string(reports.SkipToken), string(reports.SkipCount), string(reports.SkipShape)}; !slices.Equal(got, want) {
		t.Errorf("metrics has %q, and abs %q", got, want)
	}
}
