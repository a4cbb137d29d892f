package queries

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/abs-exporter/abs-exporter/alerts"
	"github.com/abs-exporter/abs-exporter/collector/findings/catalogue"
	"github.com/abs-exporter/abs-exporter/metrics"
)

type kind int

const (
	gauge kind = iota
	counter
	either // it is not known, or a native histogram
)

// metric is what is known of a name that can be queried.
type metric struct {
	kind   kind
	labels labelSet
	values map[string][]string // of the labels whose values are a closed set
}

// labelSet is a set of names of labels. anyLabel stands for all.
type labelSet map[string]bool

const anyLabel = "*"

func setOf(names ...string) labelSet {
	s := labelSet{}
	for _, n := range names {
		s[n] = true
	}
	return s
}

func (s labelSet) has(name string) bool { return s[name] || s[anyLabel] }
func (s labelSet) names() []string      { return slices.Sorted(maps.Keys(s)) }

func (s labelSet) with(names ...string) labelSet {
	s = maps.Clone(s)
	for _, n := range names {
		s[n] = true
	}
	return s
}

func (s labelSet) without(names ...string) labelSet {
	s = maps.Clone(s)
	for _, n := range names {
		delete(s, n)
	}
	return s
}

// known returns all metrics: of the table, of Prometheus itself, and what the rules record.
var known = sync.OnceValue(func() map[string]metric {
	all := map[string]metric{
		"up":     {gauge, setOf("job", "instance"), map[string][]string{}},
		"ALERTS": {gauge, setOf(anyLabel), map[string][]string{"alertstate": {"pending", "firing"}}},
	}
	for _, f := range metrics.Table() {
		// job and instance come from Prometheus.
		m := metric{gauge, setOf(f.Labels...).with("job", "instance"), maps.Clone(f.LabelValues)}
		if m.values == nil {
			m.values = map[string][]string{}
		}
		if slices.Contains(f.Labels, "severity") {
			m.values["severity"] = []string{catalogue.Critical, catalogue.Warning, catalogue.Info, catalogue.Unknown}
		}
		switch f.Type {
		case metrics.Gauge:
		case metrics.Counter:
			m.kind = counter
		case metrics.Histogram:
			m.kind = counter
			all[f.Name+"_sum"], all[f.Name+"_count"] = m, m
			buckets := m
			buckets.labels = m.labels.with("le")
			all[f.Name+"_bucket"] = buckets
		}
		all[f.Name] = m
	}
	// client_golang's own, as far as they are queried.
	for name, k := range map[string]kind{
		"go_goroutines": gauge, "go_memstats_heap_alloc_bytes": gauge, "go_memstats_alloc_bytes": gauge, "go_info": gauge,
		"go_gc_duration_seconds": either, "go_memstats_heap_inuse_bytes": gauge, "go_memstats_sys_bytes": gauge,
		"process_resident_memory_bytes": gauge, "process_virtual_memory_bytes": gauge, "process_cpu_seconds_total": counter,
		"process_start_time_seconds": gauge, "process_open_fds": gauge, "process_max_fds": gauge,
		"promhttp_metric_handler_requests_total": counter, "promhttp_metric_handler_requests_in_flight": gauge,
		"scrape_duration_seconds": gauge, "scrape_samples_scraped": gauge,
	} {
		all[name] = metric{k, setOf("job", "instance", "code", "quantile", "version"), nil}
	}
	if err := addRecorded(all); err != nil {
		panic(err) // the files are compiled in, and their own tests would fail too
	}
	return all
})

// ruleFile is what matters here of a rule file.
type ruleFile struct {
	Groups []struct {
		Rules []recordingRule `yaml:"rules"`
	} `yaml:"groups"`
}

type recordingRule struct {
	Record string            `yaml:"record"`
	Expr   string            `yaml:"expr"`
	Labels map[string]string `yaml:"labels"`
}

// addRecorded adds what the rules in alerts/ record. A rule may use those before it in its file for
// their labels, and any, itself too, by its name.
func addRecorded(all map[string]metric) error {
	rules, err := recordingRules()
	if err != nil {
		return err
	}
	for _, rule := range rules {
		all[rule.Record] = metric{kind: gauge, labels: setOf(anyLabel)}
	}
	for _, rule := range rules {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(rule.Expr)
		if err != nil {
			return fmt.Errorf("%s: %w", rule.Record, err)
		}
		c := &checker{source: all}
		set := c.labels(expr)
		if len(c.wrong) > 0 {
			return fmt.Errorf("%s: %s", rule.Record, strings.Join(c.wrong, "; "))
		}
		all[rule.Record] = metric{kind: gauge, labels: set.with(slices.Collect(maps.Keys(rule.Labels))...)}
	}
	return nil
}

func recordingRules() ([]recordingRule, error) {
	files, err := fs.Glob(alerts.FS, "*.rules.yml")
	if err != nil {
		return nil, err
	}
	var all []recordingRule
	for _, file := range files {
		text, err := fs.ReadFile(alerts.FS, file)
		if err != nil {
			return nil, err
		}
		var parsed ruleFile
		if err := yaml.Unmarshal(text, &parsed); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, group := range parsed.Groups {
			all = append(all, group.Rules...)
		}
	}
	return slices.DeleteFunc(all, func(r recordingRule) bool { return r.Record == "" }), nil
}
