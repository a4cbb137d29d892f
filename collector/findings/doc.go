// Package findings asks ABS which tokens it flags for an attack or anomaly type, within a budget of
// calls, and turns the answers into detection counters, gauges and events.
package findings
