// Package ledger turns readings of slots into counters that count each request once.
// It has no clock and no network: times and rows come in, counters come out.
//
// The rules it follows are told, with their reasons, in docs/counting.md.
package ledger
