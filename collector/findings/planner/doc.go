// Package planner turns what is known of the window's tokens into an order of forensics
// calls, within a budget and in memory of fixed size. It has no clock and no network.
package planner
