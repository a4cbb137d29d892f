package reports

import "fmt"

// Fault says why a report, or a row of it, cannot be read. Nothing in it is from the body, which
// may hold a token, so it can be logged unchanged.
type Fault struct {
	Report string // its kind
	Detail string // what is wrong
	// Field is the member that was refused, such as details[3].ip_list[0].methods. Keys of ABS's
	// maps are not named in it: they are data. Where an answer is an array of reports, the index of
	// the report comes first: [2].access_tokens[0].
	Field     string
	Offset    int64 // where in the body the reader stopped, in bytes
	TooLong   bool  // the body is longer than the limit
	Truncated bool  // the body ended before the report did
}

// Error names the report and the position.
func (f *Fault) Error() string {
	return "abs: " + f.Report + ": " + f.Detail + Position(f.Field, f.Offset)
}

// Position returns how an error names a position in a body.
func Position(field string, offset int64) string {
	if field != "" {
		field += ", "
	}
	return fmt.Sprintf(" (%sbyte %d)", field, offset)
}
