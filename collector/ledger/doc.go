// Package ledger turns readings of slots into counters that count each request once. It has no
// clock and no network: times and rows come in, counters come out.
//
// Its comments refer to the numbered rules of docs/counting.md, which also says why.
package ledger
