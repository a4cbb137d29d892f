// Package churn runs days of tokens that come and go by the thousand, in virtual time,
// and holds what a Prometheus stored of them against what was requested.
package churn
