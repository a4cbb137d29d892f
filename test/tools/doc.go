// Package tools turns the name of a pinned program, such as promtool, into the path
// of the binary that make built from the modules under /tools.
package tools
