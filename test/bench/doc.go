// Command bench turns reports by size and seed into a table of what the exporter, and
// the usual way of writing one, need for them. docs/performance.md tells the method.
package main
