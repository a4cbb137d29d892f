// Package assets tests what abs-exporter assets writes with the programs that read it: promtool and
// jsonnet.
package assets
