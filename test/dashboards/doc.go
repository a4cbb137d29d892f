// Package dashboards tests the dashboards that the binary carries: Grafana can show them, their
// queries fit the metrics, and each panel has something to show.
package dashboards
