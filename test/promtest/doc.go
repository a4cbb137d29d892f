// Package promtest turns the address of a /metrics page into what a real Prometheus
// without any feature flag stores of it, and answers questions about that.
package promtest
