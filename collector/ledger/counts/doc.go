// Package counts holds numbers of requests and their split by method, API, device and IP: what a
// slot counted (Counts), what is exposed (Counters), and the values of each label (ValueTable). It
// knows no slots, no time and no rules: package ledger has those.
package counts
