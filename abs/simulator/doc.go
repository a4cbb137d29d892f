// Package simulator turns a seed and the time of day into an ABS: its reports over
// HTTP, its lateness, attacks and faults, and the truth to hold an exporter against.
package simulator
