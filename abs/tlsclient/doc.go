// Package tlsclient is TLS towards ABS: which certificate is trusted and presented, and what to do
// where TLS or a proxy refuses a connection.
package tlsclient
