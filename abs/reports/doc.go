// Package reports reads the reports of ABS from a stream, one row or one flagged token at a time,
// in bounded memory, and says what is wrong with a body. It knows no HTTP.
package reports
