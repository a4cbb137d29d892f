// Package dashboards turns the Grafana dashboards of this folder into files that the binary
// carries. Package build writes them; a test holds them to the metrics.
package dashboards
