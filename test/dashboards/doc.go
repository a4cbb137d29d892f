// Package dashboards turns the dashboards that the binary carries into a verdict: whether
// Grafana can show them, whether their queries fit the metrics, and whether each panel
// has something to show.
package dashboards
