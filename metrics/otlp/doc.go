// Package otlp turns the snapshots that /metrics serves, the exporter's own health, and attacks that begin or end into
// pushes over OTLP (gRPC or HTTP), with the names, labels, values and start times that a scrape shows.
package otlp
