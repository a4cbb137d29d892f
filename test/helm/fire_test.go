package helm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/yaml"
)

// The rules of the PrometheusRules fire on the attacks of the demo, in a Prometheus that scrapes it
// under the job and the instance that the ServiceMonitor gives it.
func TestRulesFire(t *testing.T) {
	demo := "127.0.0.1:" + freePort(t)
	startProcess(t, nil, []string{"demo", "--web.listen-address=" + demo})
	values := []string{valuesFile(t, "minimal"), `
serviceMonitor: {enabled: true}
prometheusRule: {enabled: true, grafanaURL: "https://grafana.internal", alertLabels: {cluster: one}}
`}
	release := render(t, values...)
	monitor := into[monitoringv1.ServiceMonitor](t, release.get(t, "ServiceMonitor"))
	dir := t.TempDir()
	specs, _ := renderedRules(t, values...)
	for name, text := range specs {
		text = strings.ReplaceAll(text, `"interval":"1m"`, `"interval":"1s"`) // the settings: no minute of waiting
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config, err := yaml.Marshal(map[string]any{
		"global":     map[string]any{"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
		"rule_files": []string{"*.rules.yml"},
		"scrape_configs": []any{map[string]any{
			"job_name":     release.get(t, "Service").Metadata.Name, // as the operator names it
			"metrics_path": monitor.Spec.Endpoints[0].Path,
			"static_configs": []any{map[string]any{
				"targets": []string{demo}, "labels": map[string]string{"instance": release.get(t, "StatefulSet").Metadata.Name + "-0"},
			}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + freePort(t)
	start(t, tool(t, "prometheus"), nil, []string{
		"--config.file=" + file, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + address,
	})
	answers(t, "http://"+address+"/api/v1/alerts", func(status int, body string) bool {
		var answer struct {
			Data struct {
				Alerts []struct {
					State               string
					Labels, Annotations map[string]string
				}
			}
		}
		if status != http.StatusOK || json.Unmarshal([]byte(body), &answer) != nil {
			return false
		}
		watchdog, attack := false, false
		for _, a := range answer.Data.Alerts {
			if a.State != "firing" {
				continue
			}
			if a.Labels["cluster"] != "one" {
				t.Fatalf("%v has not the label of the values", a.Labels)
			}
			watchdog = watchdog || a.Labels["alertname"] == "ABSWatchdog"
			if !strings.HasPrefix(a.Labels["alertname"], "ABSAttack") || a.Labels["target"] != "demo" || a.Annotations["summary"] == "" {
				continue
			}
			attack = attack || strings.HasPrefix(a.Annotations["dashboard_url"], "https://grafana.internal/d/")
		}
		return watchdog && attack
	}, fmt.Sprintf("the alerts of %d files of rules", len(specs)))
}
