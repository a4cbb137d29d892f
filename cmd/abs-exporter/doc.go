// Command abs-exporter turns the reports of PingIntelligence ABS into metrics for
// Prometheus: this package wires flags, client, collector and web pages together.
package main
