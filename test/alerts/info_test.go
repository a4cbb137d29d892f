package alerts

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	dto "github.com/prometheus/client_model/go"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/test/tools"
)

// The severity of an alert is joined from info series: every attack type that any series names, as
// an attack or as an anomaly, known or not and whatever its name, has exactly one.
func TestEveryTypeHasItsInfo(t *testing.T) {
	t.Parallel()
	sim := newABS(3)
	tokens := attackers(sim)
	now := time.Now()
	types := []string{
		"Data Exfiltration Attack Type 1", "data_exfiltration_attack", "Stolen API Key Attack- Per API Key", "Cookie DoS Attack",
		"Brand New Attack", `one with "quotes" and a \ in it`, "one\nwith a line break", "攻撃", strings.Repeat("long ", 2000), " ",
	}
	for i, name := range types {
		for _, token := range tokens {
			sim.AddAttack(simulator.Attack{
				Token: token, Type: name, ID: 1, APIs: []string{attackAPI}, From: now.Add(-2 * time.Minute), Anomaly: i%2 == 1,
			})
		}
	}
	_, entry := startABS(t, "odd", sim)
	exporter := startExporter(t, tools.FreeAddress(t), map[string]any{
		"targets": []any{entry},
		"abs":     map[string]any{"rate": 100},
		// Slots of hours would take all of a short cycle on a busy machine.
		"collect": map[string]any{
			"interval": "1s", "reread": "1s", "slot": "1m", "window": "2m", "settle": "0s", "max-backfill": "1m",
		},
		// A severity from the configuration is served too.
		"forensics": map[string]any{"rate": 50, "severity": "Cookie DoS Attack=critical"},
		"state":     map[string]any{"dir": ""},
	})
	var families map[string]*dto.MetricFamily
	until(t, "all types are served", func() bool {
		text, err := fetch("http://" + exporter.address + "/metrics")
		if err != nil {
			return false
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		if families, err = parser.TextToMetricFamilies(strings.NewReader(string(text))); err != nil {
			t.Fatal(err)
		}
		return len(families["abs_attack_tokens"].GetMetric())+len(families["abs_anomaly_tokens"].GetMetric()) >= len(types)-1
	})
	infos := severities(t, families)
	if named := everyTypeHasInfo(t, families, infos); named < len(types) {
		t.Errorf("only %d series name a type", named)
	}
	for name, want := range map[string]string{"Brand New Attack": "unknown", "攻撃": "unknown", "Cookie DoS Attack": "critical", "Stolen API Key Attack- Per API Key": "critical"} {
		if infos[name] != want {
			t.Errorf("%q has the severity %q instead of %q", name, infos[name], want)
		}
	}
}

// severities returns the severity of each type that has an info series.
func severities(t *testing.T, families map[string]*dto.MetricFamily) map[string]string {
	t.Helper()
	infos := map[string]string{}
	for _, m := range families["abs_attack_type_info"].GetMetric() {
		name := value(m, "attack_type")
		if _, twice := infos[name]; twice {
			t.Errorf("%q has two infos", name)
		}
		infos[name] = value(m, "severity")
	}
	return infos
}

// everyTypeHasInfo returns how many labels of series name a type.
func everyTypeHasInfo(t *testing.T, families map[string]*dto.MetricFamily, infos map[string]string) (named int) {
	t.Helper()
	for family, f := range families {
		for _, m := range f.GetMetric() {
			for _, label := range []string{"attack_type", "anomaly_type"} {
				name := value(m, label)
				if name == "" || family == "abs_attack_type_info" {
					continue
				}
				named++
				if infos[name] == "" {
					t.Errorf("%s names the type %.40q, which has no info with a severity", family, name)
				}
			}
		}
	}
	return named
}

func value(m *dto.Metric, label string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == label {
			return l.GetValue()
		}
	}
	return ""
}
