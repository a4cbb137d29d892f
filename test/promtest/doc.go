// Package promtest runs a real Prometheus without any feature flag on a /metrics page, inside the
// test's process, and reads what it has stored.
package promtest
