// Package history makes a month of history for the dashboards: the exporter's own collector polls
// two simulated deployments of ABS in virtual time, and Prometheus's own database stores what each
// scrape shows. make test-grafana checks the dashboards on it, and make pictures draws them.
package history
