package abs

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/tlsclient"
)

// TLSConfig is how the client verifies ABS's certificate, and which one it presents.
type TLSConfig = tlsclient.Config

// newTransport returns the client's own transport. It keeps connections over the pause between two
// cycles, because a TLS handshake costs more than a small report.
func newTransport(c *Config, tlsConfig *tls.Config) *http.Transport {
	dialer := &net.Dialer{Timeout: c.Timeout, KeepAlive: 30 * time.Second}
	// HTTP/1.1 only: over HTTP/2 net/http repeats requests by itself and at its own pace after a
	// GOAWAY. Reports are few and long, so HTTP/2 would save nothing.
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  c.Proxy.choose(),
		OnProxyConnectResponse: tlsclient.ProxyAnswer,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        tlsConfig,
		TLSHandshakeTimeout:    c.Timeout,
		MaxIdleConnsPerHost:    c.Concurrency,
		IdleConnTimeout:        5 * time.Minute,
		ReadBufferSize:         32 << 10,
		MaxResponseHeaderBytes: 64 << 10,
		Protocols:              &protocols,
	}
}
