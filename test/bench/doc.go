// Command bench makes reports by size and seed, and prints what the exporter, and the usual way of
// writing one, need for them. docs/performance.md describes the method.
package main
