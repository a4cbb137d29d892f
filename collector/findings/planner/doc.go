// Package planner decides which tokens forensics is requested for next, within a number of calls
// and in memory of fixed size. It has no clock and no network: times are arguments.
package planner
