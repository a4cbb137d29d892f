package queries

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// Check parses a query as Prometheus does without feature flags, and returns all that is wrong with
// it:
//
//   - a metric that neither the table (metrics.Table), nor the recording rules in alerts/, nor
//     Prometheus itself has;
//   - a label that the metric does not have, in a matcher, a grouping or a join;
//   - a value that a label with a closed set of values does not have;
//   - rate, increase and the like on a gauge, delta and the like on a counter;
//   - a counter whose value is used as it is, which is meaningless: it restarts when a state is
//     lost.
//
// Variables of dashboards have to be replaced before: they are no PromQL.
func Check(expr string) error {
	_, err := inspect(expr)
	return err
}

// Labels returns the names of the labels that the result of a query may have, sorted, or Check's
// error.
func Labels(expr string) ([]string, error) {
	set, err := inspect(expr)
	if err != nil {
		return nil, err
	}
	return set.names(), nil
}

func inspect(expr string) (labelSet, error) {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return nil, fmt.Errorf("%q is no PromQL: %w", expr, err)
	}
	c := &checker{source: known()}
	set := c.labels(parsed)
	c.use(parsed)
	if len(c.wrong) > 0 {
		slices.Sort(c.wrong)
		return nil, fmt.Errorf("%q: %w", expr, errors.New(strings.Join(slices.Compact(c.wrong), "; ")))
	}
	return set, nil
}

type checker struct {
	source map[string]metric
	wrong  []string
}

func (c *checker) wrongf(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

// selector checks a metric's name and matchers, and returns the metric.
func (c *checker) selector(v *parser.VectorSelector) (metric, bool) {
	name := v.Name
	for _, m := range v.LabelMatchers {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			name = m.Value
		}
	}
	if name == "" {
		c.wrongf("%s does not name its metric", v)
		return metric{}, false
	}
	m, ok := c.source[name]
	if !ok {
		c.wrongf("there is no metric %s", name)
		return metric{}, false
	}
	for _, matcher := range v.LabelMatchers {
		if matcher.Name == model.MetricNameLabel {
			continue
		}
		if !m.labels.has(matcher.Name) {
			c.wrongf("%s has no label %s", name, matcher.Name)
			continue
		}
		c.values(name, m, matcher)
	}
	return m, true
}

// values checks what a matcher compares with against the closed set of a label's values.
func (c *checker) values(name string, m metric, matcher *labels.Matcher) {
	closed, ok := m.values[matcher.Name]
	if !ok || matcher.Value == "" {
		return
	}
	switch matcher.Type {
	case labels.MatchEqual, labels.MatchNotEqual:
		if !slices.Contains(closed, matcher.Value) {
			c.wrongf("%s has no %s=%q", name, matcher.Name, matcher.Value)
		}
	case labels.MatchRegexp, labels.MatchNotRegexp:
		for _, v := range matcher.SetMatches() {
			if !slices.Contains(closed, v) {
				c.wrongf("%s has no %s=%q", name, matcher.Name, v)
			}
		}
		positive, err := labels.NewMatcher(labels.MatchRegexp, matcher.Name, matcher.Value)
		if err != nil || !slices.ContainsFunc(closed, positive.Matches) {
			c.wrongf("%s has no %s that matches %q", name, matcher.Name, matcher.Value)
		}
	}
}
