// Package tools has what the end-to-end tests of several packages need: the paths of the pinned
// programs that make built from the modules under /tools, the abs-exporter under test, processes
// and their output, and waiting.
package tools
