package alerts

import (
	"encoding/json"
	"io/fs"
	"regexp"
	"slices"
	"testing"

	"github.com/abs-exporter/abs-exporter/dashboards"
)

// ofNoPanel are the alerts without a quantity that a panel could show.
var ofNoPanel = []string{"ABSThresholdsMissing", "ABSWatchdog"}

// Whoever follows the link of an alert finds its quantity: a panel of that dashboard queries the
// metric that the alert is about, or the series that is recorded of it.
func TestLinksLeadToTheQuantity(t *testing.T) {
	shown := shownBy(t)
	for _, r := range alertRules(t) {
		if slices.Contains(ofNoPanel, r.Alert) {
			continue
		}
		m := linkedBoard.FindStringSubmatch(r.Annotations["dashboard_url"])
		if m == nil || shown[m[1]] == nil {
			t.Errorf("%s leads to no dashboard that is there: %s", r.Alert, r.Annotations["dashboard_url"])
			continue
		}
		main := mainMetrics(t, &r)
		if !slices.ContainsFunc(main, func(name string) bool { return shown[m[1]][name] }) {
			t.Errorf("%s leads to %s, of which no panel queries any of %q", r.Alert, m[1], main)
		}
	}
}

var linkedBoard = regexp.MustCompile(`/d/(abs-exporter-\w+)`)

// mainMetrics returns the metric that an alert is about, which is the first one of its expression,
// and what that is recorded of. A histogram has its own name.
func mainMetrics(t *testing.T, r *rule) []string {
	t.Helper()
	all := selected(t, r.Expr)
	if len(all) == 0 {
		t.Fatalf("%s reads no metric", r.Alert)
	}
	main := []string{ofHistogram.ReplaceAllString(all[0], "")}
	for name := range metricsOf(t, all[0]) {
		main = append(main, ofHistogram.ReplaceAllString(name, ""))
	}
	return main
}

var ofHistogram = regexp.MustCompile(`_(bucket|sum|count)$`)

var metricName = regexp.MustCompile(`\b[a-z][a-z0-9_]*(?::[a-z0-9_]+)*\b`)

// shownBy returns the metrics that the panels of each dashboard query, by its uid; rows may hold
// their panels.
func shownBy(t *testing.T) map[string]map[string]bool {
	t.Helper()
	type panel struct {
		Targets []struct{ Expr string }
		Panels  []json.RawMessage
	}
	names, err := fs.Glob(dashboards.FS, "*.json")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]bool{}
	for _, name := range names {
		text, err := fs.ReadFile(dashboards.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		var board struct {
			UID    string
			Panels []json.RawMessage
		}
		if err := json.Unmarshal(text, &board); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[board.UID] = map[string]bool{}
		var add func(panels []json.RawMessage)
		add = func(panels []json.RawMessage) {
			for _, raw := range panels {
				var p panel
				if err := json.Unmarshal(raw, &p); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				for _, target := range p.Targets {
					for _, metric := range metricName.FindAllString(target.Expr, -1) {
						all[board.UID][ofHistogram.ReplaceAllString(metric, "")] = true
					}
				}
				add(p.Panels)
			}
		}
		add(board.Panels)
	}
	return all
}
