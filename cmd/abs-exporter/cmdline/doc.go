// Package cmdline has what a command line written with kong offers beside its flags: completion in
// shells, suggestions for mistyped words, and durations with days and weeks.
package cmdline
