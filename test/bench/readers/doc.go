// Package readers reads the rows of the report oauthtokens by libraries, for a comparison with the
// exporter's own reader: of speed, and row for row.
package readers
