package alerts

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

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
		{"abs-credentials-team,abs-page", []string{"alertname=ABSAttackCritical", "severity=critical", `attack_type="Stolen Token Attack Type 2"`}},
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
	// Whatever severity an alert has, it is routed to somebody on purpose.
	for _, r := range alertRules(t) {
		out := amtool(t, "config", "routes", "test", "--config.file="+example, "alertname="+r.Alert, "severity="+r.Labels["severity"])
		want := map[string]string{"critical": "abs-page", "warning": "abs-ticket", "info": "abs-nobody"}[r.Labels["severity"]]
		if got := strings.TrimSpace(out); got != want {
			t.Errorf("%s goes to %s instead of %s", r.Alert, got, want)
		}
	}
}
