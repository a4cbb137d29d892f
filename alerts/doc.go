// Package alerts turns the metrics into pages: alert rules for Prometheus and an example for
// Alertmanager, as files that the binary carries.
package alerts
