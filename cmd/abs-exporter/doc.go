// Command abs-exporter turns the reports of PingIntelligence ABS into metrics for Prometheus. This
// package has the commands, and wires client, collector and web pages together.
package main
