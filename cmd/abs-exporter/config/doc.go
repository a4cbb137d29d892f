// Package config turns the command line, the environment and the configuration file into one
// command with valid settings. It alone decides what is valid, and reports all that is not at once,
// each problem with the flag, the variable, or the file's line and key where it was set.
package config
