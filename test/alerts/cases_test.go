package alerts

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// alwaysFires are the alerts without a case in which they are silent.
var alwaysFires = []string{"ABSWatchdog"}

// ofNoSource are the alerts that are about no target and no exporter.
var ofNoSource = []string{"ABSThresholdsMissing", "ABSWatchdog"}

// Every alert has:
//
//   - a case that fires, with all of its annotations;
//   - a near miss: a test of its own in which it never fires, evaluated when its "for" has passed.
//     Before that, any alert is silent;
//   - a test of two targets, each read by two exporters, in which it fires for one target and not
//     for the other. An alert of an exporter and not of a target has a test of two exporters.
func TestEveryAlertHasCases(t *testing.T) {
	alerts := map[string]*cases{}
	for _, r := range alertRules(t) {
		if alerts[r.Alert] != nil {
			t.Errorf("%s is there twice", r.Alert)
		}
		c := &cases{reads: metricsOf(t, r.Expr)}
		if r.For != "" {
			c.patience = duration(t, r.For)
		}
		alerts[r.Alert] = c
	}
	for _, file := range glob(t, "alerts", "tests", "*.yml") {
		var parsed struct {
			Tests []ruleTest `yaml:"tests"`
		}
		read(t, file, &parsed)
		for _, test := range parsed.Tests {
			test.file = filepath.Base(file)
			test.count(t, alerts)
		}
	}
	for name, c := range alerts {
		if c.fires == 0 || c.nearMisses == 0 && !slices.Contains(alwaysFires, name) {
			t.Errorf("%s has %d cases that fire, and %d tests in which it never does although its \"for\" has passed", name, c.fires, c.nearMisses)
		}
		if !c.replicas && !slices.Contains(ofNoSource, name) {
			t.Errorf("%s has no test in which it fires for one of two targets, each with two instances in all series that it reads", name)
		}
	}
}

// cases are the cases of one alert.
type cases struct {
	patience          time.Duration   // its "for"
	reads             map[string]bool // the metrics of its expression
	fires, nearMisses int
	replicas          bool
}

// ruleTest is one test of a file for promtool.
type ruleTest struct {
	file   string
	Series []struct {
		Series string `yaml:"series"`
	} `yaml:"input_series"`
	Alerts []struct {
		Name     string `yaml:"alertname"`
		At       string `yaml:"eval_time"`
		Expected []struct {
			Labels      map[string]string `yaml:"exp_labels"`
			Annotations map[string]string `yaml:"exp_annotations"`
		} `yaml:"exp_alerts"`
	} `yaml:"alert_rule_test"`
	Exprs []struct {
		Expr     string `yaml:"expr"`
		Expected []struct {
			Labels string `yaml:"labels"`
		} `yaml:"exp_samples"`
	} `yaml:"promql_expr_test"`
}

// source is what an alert is about: a target, or an exporter.
type source struct{ target, instance string }

// count adds what the test says of each alert.
func (rt *ruleTest) count(t *testing.T, alerts map[string]*cases) {
	t.Helper()
	silent := map[string]bool{} // which of those evaluated late enough never fire here
	fired := map[string]map[source]bool{}
	fires := func(alert string, ls map[string]string) {
		if fired[alert] == nil {
			fired[alert] = map[source]bool{}
		}
		s := source{target: ls["target"]}
		if s.target == "" {
			s.instance = ls["instance"]
		}
		fired[alert][s] = true
	}
	for _, c := range rt.Alerts {
		a := alerts[c.Name]
		if a == nil {
			t.Errorf("%s tests %s, and there is no such alert", rt.file, c.Name)
			continue
		}
		never, known := silent[c.Name]
		switch {
		case len(c.Expected) > 0:
			silent[c.Name] = false
			if c.Expected[0].Annotations["description"] != "" {
				a.fires++
			}
		case (never || !known) && duration(t, c.At) > a.patience:
			silent[c.Name] = true
		}
		for _, e := range c.Expected {
			fires(c.Name, e.Labels)
		}
	}
	for name, never := range silent {
		if never {
			alerts[name].nearMisses++
		}
	}
	rt.firedByExpr(t, fires)
	for name, sources := range fired {
		if a := alerts[name]; a != nil {
			a.replicas = a.replicas || rt.hasReplicas(t, a.reads, sources)
		}
	}
}

// firedByExpr calls fires for each alert that a query of ALERTS is expected to return.
func (rt *ruleTest) firedByExpr(t *testing.T, fires func(alert string, ls map[string]string)) {
	t.Helper()
	for _, e := range rt.Exprs {
		if !strings.Contains(e.Expr, `alertstate="firing"`) {
			continue
		}
		expr := parseExpr(t, e.Expr)
		name := ""
		parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
			if v, ok := n.(*parser.VectorSelector); ok && v.Name == "ALERTS" {
				for _, m := range v.LabelMatchers {
					if m.Name == "alertname" && m.Type == labels.MatchEqual {
						name = m.Value
					}
				}
			}
			return nil
		})
		for _, sample := range e.Expected {
			ls := metric(t, sample.Labels).Map()
			if ls["alertname"] == "" {
				ls["alertname"] = name
			}
			fires(ls["alertname"], ls)
		}
	}
}

// hasReplicas reports whether an alert that reads these metrics fires for one of two targets, and
// whether each metric of both is there from two instances; or whether it fires for one of two
// instances.
func (rt *ruleTest) hasReplicas(t *testing.T, reads map[string]bool, fired map[source]bool) bool {
	t.Helper()
	instances := map[string]map[string]map[string]bool{} // by target and metric
	exporters := map[string]bool{}
	for _, s := range rt.Series {
		m := metric(t, s.Series)
		name := m.Get(model.MetricNameLabel)
		if !reads[name] {
			continue
		}
		target, instance := m.Get("target"), m.Get("instance")
		exporters[instance] = true
		if instances[target] == nil {
			instances[target] = map[string]map[string]bool{}
		}
		if instances[target][name] == nil {
			instances[target][name] = map[string]bool{}
		}
		instances[target][name][instance] = true
	}
	var targets, single []source
	for target, byMetric := range instances {
		whole := target != ""
		for _, of := range byMetric {
			whole = whole && len(of) > 1
		}
		if whole {
			targets = append(targets, source{target: target})
		}
	}
	for instance := range exporters {
		if instance != "" {
			single = append(single, source{instance: instance})
		}
	}
	oneOf := func(sources []source) bool {
		silent := func(s source) bool { return !fired[s] }
		return slices.ContainsFunc(sources, func(s source) bool { return fired[s] }) && slices.ContainsFunc(sources, silent)
	}
	return oneOf(targets) || oneOf(single)
}

// metricsOf returns the metrics that an expression reads, those of recorded series included, but no
// thresholds.
func metricsOf(t *testing.T, expr string) map[string]bool {
	t.Helper()
	recorded := map[string]string{}
	for _, r := range rules(t) {
		if r.Record != "" {
			recorded[r.Record] = r.Expr
		}
	}
	found := map[string]bool{}
	var add func(expr string)
	add = func(expr string) {
		for _, name := range selected(t, expr) {
			switch {
			case recorded[name] != "" && !found[name]:
				found[name] = true
				add(recorded[name])
			case recorded[name] == "" && name != "ALERTS":
				found[name] = true
			}
		}
	}
	add(expr)
	return found
}

// selected returns the names of the metrics of an expression, in its order.
func selected(t *testing.T, expr string) []string {
	t.Helper()
	var names []string
	parser.Inspect(parseExpr(t, expr), func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			names = append(names, v.Name)
		}
		return nil
	})
	return names
}

func parseExpr(t *testing.T, expr string) parser.Expr {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	return parsed
}

func metric(t *testing.T, text string) labels.Labels {
	t.Helper()
	m, err := parser.NewParser(parser.Options{}).ParseMetric(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return m
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
