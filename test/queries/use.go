package queries

import (
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

// Functions by the kind of metric that they are for. All others accept both.
var (
	ofCounters = []string{"rate", "increase", "irate"}
	ofGauges   = []string{"delta", "idelta", "deriv", "predict_linear", "double_exponential_smoothing"}
	// existence are those whose result does not depend on the value.
	existence = []string{
		"absent", "absent_over_time", "changes", "count_over_time", "present_over_time", "resets", "timestamp", "ts_of_last_over_time",
	}
	existenceOps = []parser.ItemType{parser.COUNT, parser.GROUP}
)

// use records counters used as gauges and gauges used as counters.
func (c *checker) use(expr parser.Expr) {
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		v, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		m, ok := c.source[v.Name]
		if !ok {
			return nil // reported already
		}
		by := usedBy(v, path)
		switch {
		case m.kind == gauge && slices.Contains(ofCounters, by):
			c.wrongf("%s of the gauge %s", by, v.Name)
		case m.kind == counter && slices.Contains(ofGauges, by):
			c.wrongf("%s of the counter %s", by, v.Name)
		case m.kind == counter && !slices.Contains(ofCounters, by) && by != exists && !difference(v, path):
			c.wrongf("the counter %s without rate or increase", v.Name)
		}
		return nil
	})
}

// difference reports whether a selector is part of last - first of one counter, unless it
// restarted.
func difference(v *parser.VectorSelector, path []parser.Node) bool {
	ends, minus := 0, false
	for _, node := range slices.Backward(path) {
		switch e := node.(type) {
		case *parser.MatrixSelector, *parser.ParenExpr, parser.Expressions:
		case *parser.Call:
			switch e.Func.Name {
			case "last_over_time", "min_over_time":
				ends++
			case "label_replace":
			default:
				return false
			}
		case *parser.AggregateExpr:
			if !minus && e.Op != parser.MIN {
				return false
			}
		case *parser.BinaryExpr:
			switch e.Op {
			case parser.LOR:
			case parser.SUB:
				minus = ends == 1 && onlyOf(e, v.Name)
			case parser.LUNLESS:
				return minus && onlyOf(e.RHS, v.Name) && strings.Contains(e.RHS.String(), "resets(")
			default:
				return false
			}
		default:
			return false
		}
	}
	return false
}

// onlyOf reports whether an expression reads no other metric.
func onlyOf(expr parser.Expr, name string) bool {
	only := true
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if v, ok := node.(*parser.VectorSelector); ok && v.Name != name {
			only = false
		}
		return nil
	})
	return only
}

const exists = "exists"

// usedBy returns the function that is applied to a selector's values; exists where only their
// existence matters.
func usedBy(node parser.Node, path []parser.Node) string {
	for i := len(path) - 1; i >= 0; i-- {
		switch e := path[i].(type) {
		case *parser.Call:
			if slices.Contains(existence, e.Func.Name) {
				return exists
			}
			return e.Func.Name
		case *parser.AggregateExpr:
			if slices.Contains(existenceOps, e.Op) {
				return exists
			}
			return e.Op.String()
		case *parser.BinaryExpr:
			if e.RHS == node && (e.Op == parser.LAND || e.Op == parser.LUNLESS) {
				return exists
			}
			return e.Op.String()
		}
		node = path[i]
	}
	return ""
}
