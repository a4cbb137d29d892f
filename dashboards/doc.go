// Package dashboards turns the Grafana dashboards of this folder into files that the binary
// carries. Package build writes them; tests check them against the table of metrics.
package dashboards
