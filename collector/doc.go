// Package collector turns the reports of ABS into snapshots of metrics: it decides
// what to ask and when, counts each request once, and publishes what it has counted.
package collector
