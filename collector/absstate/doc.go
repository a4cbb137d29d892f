// Package absstate turns ABS's admin report into series and into what the status page shows of it,
// and compares ABS's time zone with the configured one.
package absstate
