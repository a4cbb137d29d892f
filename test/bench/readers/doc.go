// Package readers reads the report oauthtokens with libraries, to compare them with the exporter's
// own reader: its speed, and each row.
package readers
