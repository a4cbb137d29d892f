// Package test runs the built program with the real programs around it and checks what a user would
// see, end to end.
//
// What belongs here is what a unit test of the main module cannot show, because it needs a real
// Prometheus, promtool, or the abs-exporter binary as users start it:
//
//   - the binary against the simulated ABS over HTTPS, scraped by a Prometheus
//     without feature flags (package promtest), whose stored increase must equal
//     the simulator's truth;
//   - command lines, exit codes and messages as testscript files under
//     testdata/script;
//   - what promtool finds in /metrics, rules and tests of rules (package tools finds
//     the pinned binary).
//
// It is a module of its own, so that nobody who imports or builds the exporter ever downloads
// Prometheus. Whatever can be tested with the standard library alone belongs beside the code
// instead, where `make quick` runs it.
package test
