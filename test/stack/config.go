package main

import (
	"fmt"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

// writeConfigs writes the configurations of Prometheus and Alertmanager.
func writeConfigs(s *settings, prometheus, alertmanager, receiver string) error {
	rules, err := filepath.Abs(s.rules)
	if err != nil {
		return err
	}
	// 5 s, as the demo changes within seconds; a minute is enough for a real ABS.
	prom := fmt.Sprintf(`global: {scrape_interval: 5s, evaluation_interval: 5s}
rule_files: [%q]
scrape_configs:
- {job_name: abs-exporter, static_configs: [{targets: [%q]}]}
alerting:
  alertmanagers: [{static_configs: [{targets: [%q]}]}]
`, filepath.Join(rules, "*.rules.yml"), s.web, s.alert)
	if err := os.WriteFile(prometheus, []byte(prom), 0o600); err != nil {
		return err
	}
	example, err := os.ReadFile(filepath.Join(rules, "alertmanager.yml"))
	if err != nil {
		return err
	}
	config, err := onTerminal(example, receiver)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(s.rules, "alertmanager.yml"), err)
	}
	return os.WriteFile(alertmanager, config, 0o600)
}

// onTerminal returns the example with its routes and inhibitions as they are, and with the receiver
// here in place of every receiver that notifies somebody.
func onTerminal(example []byte, receiver string) ([]byte, error) {
	var config struct {
		Route        map[string]any `yaml:"route"`
		InhibitRules []any          `yaml:"inhibit_rules"`
		Receivers    []map[string]any
	}
	if err := yaml.Unmarshal(example, &config); err != nil {
		return nil, err
	}
	for i, r := range config.Receivers {
		name, _ := r["name"].(string) // Alertmanager reports it if there is none
		if len(r) > 1 {
			r = map[string]any{"name": name, "webhook_configs": []map[string]any{{"url": receiver + "/" + name, "send_resolved": true}}}
		}
		config.Receivers[i] = r
	}
	if config.Route == nil || len(config.Receivers) == 0 {
		return nil, fmt.Errorf("there is no route, or there are no receivers")
	}
	config.Route["group_wait"] = "5s"
	config.Route["group_interval"] = "30s"
	return yaml.Marshal(map[string]any{"route": config.Route, "inhibit_rules": config.InhibitRules, "receivers": config.Receivers})
}
