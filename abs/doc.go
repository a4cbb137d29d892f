// Package abs requests the reports of PingIntelligence ABS over HTTPS and reads them as a stream:
// one row or one flagged token at a time.
package abs
