// Package metrics serves immutable snapshots of counted requests in the three exposition formats
// that Prometheus reads. It holds the one table of metrics from which exposition, registration and
// the reference are made.
package metrics
