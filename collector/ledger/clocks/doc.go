// Package clocks holds what the ledger knows of time: spans of whole minutes, ABS's wall clock with
// its repeated hours, and a clock that no step of the wall clock moves. It reads no clock: times
// come in as arguments.
package clocks
