// Package readers turns the report oauthtokens into rows by libraries, to be held against
// the exporter's own reader: for speed, and row for row.
package readers
