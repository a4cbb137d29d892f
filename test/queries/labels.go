package queries

import (
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// labels returns the labels that an expression's result may have, and records those that the
// expression names and that cannot be there.
func (c *checker) labels(expr parser.Expr) labelSet {
	switch e := expr.(type) {
	case *parser.VectorSelector:
		m, ok := c.selector(e)
		if !ok {
			return setOf(anyLabel) // one mistake is reported once
		}
		return m.labels
	case *parser.MatrixSelector:
		return c.labels(e.VectorSelector)
	case *parser.SubqueryExpr:
		return c.labels(e.Expr)
	case *parser.ParenExpr:
		return c.labels(e.Expr)
	case *parser.StepInvariantExpr:
		return c.labels(e.Expr)
	case *parser.UnaryExpr:
		return c.labels(e.Expr)
	case *parser.AggregateExpr:
		return c.aggregate(e)
	case *parser.BinaryExpr:
		return c.binary(e)
	case *parser.Call:
		return c.call(e)
	default: // numbers and strings
		return labelSet{}
	}
}

func (c *checker) aggregate(e *parser.AggregateExpr) labelSet {
	inner := c.labels(e.Expr)
	if e.Param != nil {
		c.labels(e.Param)
	}
	for _, l := range e.Grouping {
		if !inner.has(l) {
			c.wrongf("%s groups by %s, which nothing in it has", e.Op, l)
		}
	}
	switch e.Op {
	case parser.TOPK, parser.BOTTOMK, parser.LIMITK, parser.LIMIT_RATIO:
		return inner
	}
	out := setOf(e.Grouping...)
	if e.Without {
		out = inner.without(e.Grouping...)
	}
	if name, ok := e.Param.(*parser.StringLiteral); ok && e.Op == parser.COUNT_VALUES {
		out = out.with(name.Val)
	}
	return out
}

func (c *checker) binary(e *parser.BinaryExpr) labelSet {
	left, right := c.labels(e.LHS), c.labels(e.RHS)
	switch {
	case e.LHS.Type() == parser.ValueTypeScalar:
		return right
	case e.RHS.Type() == parser.ValueTypeScalar:
		return left
	}
	m := e.VectorMatching
	for _, l := range m.MatchingLabels {
		switch inLeft, inRight := left.has(l), right.has(l); {
		case m.On && (!inLeft || !inRight):
			c.wrongf("%s is joined on %s, which %s side has", e.Op, l, map[bool]string{true: "only one", false: "no"}[inLeft || inRight])
		case !m.On && !inLeft && !inRight:
			c.wrongf("%s ignores %s, which neither side has", e.Op, l)
		}
	}
	one, many := right, left
	if m.Card == parser.CardOneToMany {
		one, many = left, right
	}
	for _, l := range m.Include {
		if !one.has(l) {
			c.wrongf("%s is to include %s from a side that does not have it", e.Op, l)
		}
	}
	switch {
	case e.Op == parser.LOR:
		return left.with(right.names()...)
	case e.Op.IsSetOperator():
		return left
	case m.Card == parser.CardOneToMany, m.Card == parser.CardManyToOne:
		return many.with(m.Include...)
	case m.On:
		return setOf(m.MatchingLabels...)
	default:
		return left.without(m.MatchingLabels...)
	}
}

func (c *checker) call(e *parser.Call) labelSet {
	var vector labelSet
	for _, arg := range e.Args {
		set := c.labels(arg)
		if t := arg.Type(); vector == nil && (t == parser.ValueTypeVector || t == parser.ValueTypeMatrix) {
			vector = set
		}
	}
	text := func(i int) string {
		if i < len(e.Args) {
			if s, ok := e.Args[i].(*parser.StringLiteral); ok {
				return s.Val
			}
		}
		return ""
	}
	switch e.Func.Name {
	case "vector", "scalar", "time":
		return labelSet{}
	case "absent", "absent_over_time":
		return equals(e.Args[0])
	case "histogram_quantile", "histogram_fraction":
		return vector.without("le")
	case "label_replace":
		// "" reads no label: that is how one with a fixed value is added.
		if text(3) != "" && !vector.has(text(3)) {
			c.wrongf("label_replace reads %s, which nothing in it has", text(3))
		}
		return vector.with(text(1))
	case "label_join":
		for i := 3; i < len(e.Args); i++ {
			if !vector.has(text(i)) {
				c.wrongf("label_join reads %s, which nothing in it has", text(i))
			}
		}
		return vector.with(text(1))
	case "sort_by_label", "sort_by_label_desc":
		for i := 1; i < len(e.Args); i++ {
			if !vector.has(text(i)) {
				c.wrongf("%s reads %s, which nothing in it has", e.Func.Name, text(i))
			}
		}
		return vector
	}
	if vector == nil {
		return labelSet{}
	}
	return vector
}

// equals returns the labels of the result of absent: those of the matchers for equality.
func equals(expr parser.Expr) labelSet {
	out := labelSet{}
	switch e := expr.(type) {
	case *parser.ParenExpr:
		return equals(e.Expr)
	case *parser.MatrixSelector:
		return equals(e.VectorSelector)
	case *parser.VectorSelector:
		for _, m := range e.LabelMatchers {
			if m.Type == labels.MatchEqual && m.Name != model.MetricNameLabel {
				out[m.Name] = true
			}
		}
	}
	return out
}
