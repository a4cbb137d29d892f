package alerts

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/abs-exporter/abs-exporter/collector/findings/catalogue"
	"github.com/abs-exporter/abs-exporter/test/tools"
)

func amtool(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(tools.Path(t, "amtool"), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("amtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestAlertmanagerExample(t *testing.T) {
	t.Parallel()
	example := filepath.Join(tools.Root(t), "alerts", "alertmanager.yml")
	if out := amtool(t, "check-config", example); strings.Contains(out, "level=WARN") {
		t.Error(out)
	}
	for _, tc := range []struct {
		want   string
		labels []string
	}{
		{"abs-page", []string{"alertname=ABSAttackCritical", "severity=critical", `attack_type="Data Exfiltration Attack Type 1"`, "target=a"}},
		{"abs-credentials-team,abs-page", []string{"alertname=ABSAttackCritical", "severity=critical", "category=stolen_credentials"}},
		{"abs-credentials-team,abs-ticket", []string{"alertname=ABSAttackWarning", "severity=warning", "category=account_takeover"}},
		{"abs-credentials-team,abs-page", []string{"alertname=ABSAttackSpreading", "severity=critical", "category=account_takeover"}},
		{"abs-page", []string{"alertname=ABSAttackSpreading", "severity=critical", "category=data_theft"}},
		{"abs-ticket", []string{"alertname=ABSAttackSpreading", "severity=warning", "category=abnormal_use"}},
		{"abs-page", []string{"alertname=ABSAttackUnknownType", "severity=critical", `attack_type="Brand New"`}},
		{"abs-ticket", []string{"alertname=ABSAttackWarning", "severity=warning", `attack_type="Cookie DoS Attack"`}},
		{"abs-nobody", []string{"alertname=ABSAttackInfo", "severity=info", `attack_type="Extreme Client Activity Attack"`}},
		{"abs-page", []string{"alertname=ABSUnreachable", "severity=critical", "target=a"}},
		{"abs-ticket", []string{"alertname=ABSAnomalies", "severity=warning", "anomaly_type=Any"}},
		{"abs-ticket", []string{"alertname=OfSomebodyElse", "severity=critical"}},
	} {
		out := amtool(t, append([]string{"config", "routes", "test", "--config.file=" + example}, tc.labels...)...)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if got := lines[len(lines)-1]; got != tc.want {
			t.Errorf("%s goes to %s instead of %s", strings.Join(tc.labels, " "), got, tc.want)
		}
	}
	// Where an attack goes depends on its category, and each category is one of the catalogue's.
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	types, err := catalogue.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	categories := map[string]bool{}
	for _, e := range types.Entries() {
		categories[e.Category] = true
	}
	for _, m := range regexp.MustCompile(`category=~"([^"]*)"`).FindAllStringSubmatch(string(text), -1) {
		for category := range strings.SplitSeq(m[1], "|") {
			if !categories[category] {
				t.Errorf("no attack type has the category %s", category)
			}
		}
	}
	if strings.Contains(string(text), "attack_type=") {
		t.Error("a route goes by ABS's spelling of a type")
	}
	// An alert of any severity is routed to its receiver by a rule, not by default.
	for _, r := range alertRules(t) {
		for _, severity := range r.severities() {
			out := amtool(t, "config", "routes", "test", "--config.file="+example, "alertname="+r.Alert, "severity="+severity)
			want := map[string]string{"critical": "abs-page", "warning": "abs-ticket", "info": "abs-nobody"}[severity]
			if slices.Contains(alwaysFires, r.Alert) {
				want = "abs-heartbeat"
			}
			if got := strings.TrimSpace(out); got != want {
				t.Errorf("%s goes to %s instead of %s", r.Alert, got, want)
			}
		}
	}
}

// Only existing alerts are silenced, and an attack never is.
func TestInhibition(t *testing.T) {
	var config struct {
		Rules []struct {
			Source []string `yaml:"source_matchers"`
			Target []string `yaml:"target_matchers"`
			Equal  []string `yaml:"equal"`
		} `yaml:"inhibit_rules"`
	}
	read(t, glob(t, "alerts", "alertmanager.yml")[0], &config)
	known := map[string]bool{}
	for _, r := range alertRules(t) {
		known[r.Alert] = true
	}
	name := regexp.MustCompile(`\bABS\w+`)
	for _, r := range config.Rules {
		if !slices.Contains(r.Equal, "target") {
			t.Errorf("%s silences beyond its target", r.Source)
		}
		for _, alert := range name.FindAllString(strings.Join(append(r.Source, r.Target...), " "), -1) {
			if !known[alert] {
				t.Errorf("%s is silenced or silences, and there is no such alert", alert)
			}
		}
		silenced := strings.Join(r.Target, " ")
		if strings.Contains(silenced, "ABSAttack") || strings.Contains(silenced, "ABSExporter") {
			t.Errorf("%s silences %s", r.Source, silenced)
		}
		// An ABS that refuses one report may answer the other, and have no requests there.
		if strings.Contains(strings.Join(r.Source, " "), "ABSKeysRefused") && strings.Contains(silenced, "ABSNoNewRequests") {
			t.Errorf("%s silences ABSNoNewRequests", r.Source)
		}
	}
}
