// Package build turns the panels described in Go into the Grafana dashboards of the folder above.
// The binary carries the files only, not this package.
package build
