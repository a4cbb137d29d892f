// Package churn runs days of traffic in virtual time, in which thousands of tokens appear and
// disappear, and compares what a Prometheus stored with what was requested.
package churn
