// Package compose tests compose/: the files that its services mount are run natively, and its
// services agree on names, ports and paths.
package compose
