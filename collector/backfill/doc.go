// Package backfill turns ABS's reports of the past into the history of the request counters: it
// reads window after window, lets a ledger count them by the rules of the live counters, and writes
// the samples as OpenMetrics text with timestamps.
package backfill
