// Package otlp turns pushes into what real receivers make of them: an OpenTelemetry
// Collector and Prometheus' own OTLP receiver, held against what a scrape shows.
package otlp
