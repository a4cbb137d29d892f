// Package runbooks has what to do when an alert fires, one page an alert, as files that the binary
// carries.
package runbooks

import "embed"

// Index is the file with the table of all alerts, and what to set before the first of them fires.
const Index = "README.md"

// FS has the runbooks, each named after its alert, the index, and pages that several of them lead
// to.
//
//go:embed *.md
var FS embed.FS
