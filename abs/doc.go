// Package abs turns questions about windows and tokens into HTTPS requests to PingIntelligence ABS,
// and the bodies of its reports into rows, one at a time.
package abs
