// Package runbooks has what to do when an alert fires, one page an alert, as files that the binary
// carries.
package runbooks

import "embed"

// FS has the runbooks, each named after its alert, and their index, README.md.
//
//go:embed *.md
var FS embed.FS
