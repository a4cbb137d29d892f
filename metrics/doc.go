// Package metrics turns immutable snapshots of counted requests into the three exposition formats that Prometheus
// reads, and holds the one table of metrics from which exposition, registration and reference docs are made.
package metrics
