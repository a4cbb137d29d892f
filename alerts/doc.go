// Package alerts turns the metrics into pages: alert rules for Prometheus and an example for
// Alertmanager, as files that the binary carries, and the table of thresholds that the rules and
// the dashboards judge by.
package alerts
