// Package simulator derives an ABS from a seed and the time of day: its reports over HTTP, its
// lateness, attacks and faults, and the truth to compare an exporter's counters with.
package simulator
