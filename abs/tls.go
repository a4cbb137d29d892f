package abs

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/regular"
)

// TLSConfig is how the client verifies ABS's certificate, and which one it presents. ABS ships with
// a self-signed certificate that may name no host (ABS guide, "Configure SSL"), so a single
// certificate can be trusted by its fingerprint.
type TLSConfig struct {
	// CAFile holds the certificate authorities for ABS in PEM, in place of the system's. It is read
	// for each new connection.
	CAFile string
	// CertFile and KeyFile hold the client's certificate in PEM; read for each new connection.
	CertFile, KeyFile string
	// ServerName replaces the host of the URL when the certificate is verified.
	ServerName string
	// Fingerprint is the SHA-256 of ABS's certificate in hex, with or without colons. It replaces
	// the verification of chain, name and date.
	Fingerprint string
	// InsecureSkipVerify accepts any certificate.
	InsecureSkipVerify bool
}

// errFingerprint is this package's own reason to refuse a connection.
var errFingerprint = errors.New("the certificate of ABS does not have the fingerprint that is configured")

// fileError is a reason of this package that lies in files.
type fileError struct{ what, files string }

func (e *fileError) Error() string { return e.what + ": " + e.files }

// parseFingerprint parses hex with or without colons, in upper or lower case.
func parseFingerprint(text string) ([]byte, error) {
	sum, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || len(sum) != sha256.Size {
		return nil, errors.New("is not a SHA-256: 64 hexadecimal digits, with or without colons")
	}
	return sum, nil
}

// clientConfig returns the configuration of crypto/tls for one host. The error is a *ConfigError.
func (c TLSConfig) clientConfig(host string) (*tls.Config, error) {
	if c.ServerName != "" {
		host = c.ServerName
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	switch {
	case (c.CertFile == "") != (c.KeyFile == ""):
		field := "TLS.KeyFile"
		if c.CertFile == "" {
			field = "TLS.CertFile"
		}
		return nil, &ConfigError{Field: field, Detail: "is missing: a client certificate is two files"}
	case c.Fingerprint != "" && c.InsecureSkipVerify:
		return nil, &ConfigError{Field: "TLS.Fingerprint", Detail: "cannot be used together with", Other: "TLS.InsecureSkipVerify"}
	case c.Fingerprint != "" && c.CAFile != "":
		return nil, &ConfigError{Field: "TLS.Fingerprint", Detail: "replaces the check of the chain, and cannot be used together with", Other: "TLS.CAFile"}
	}
	if c.CertFile != "" {
		if _, err := c.certificate(); err != nil {
			return nil, &ConfigError{Field: "TLS.CertFile", Detail: err.Error()}
		}
		t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := c.certificate()
			if err != nil {
				return nil, &fileError{"the client certificate or its key cannot be read", c.CertFile + ", " + c.KeyFile}
			}
			return pair, nil
		}
	}
	switch {
	case c.InsecureSkipVerify:
		t.InsecureSkipVerify = true // #nosec G402 -- configured, with a warning
	case c.Fingerprint != "":
		want, err := parseFingerprint(c.Fingerprint)
		if err != nil {
			return nil, &ConfigError{Field: "TLS.Fingerprint", Detail: err.Error()}
		}
		t.InsecureSkipVerify = true // #nosec G402 -- VerifyConnection verifies instead
		// Who has the key of the pinned certificate is ABS: it may speak what its Java speaks.
		t.MinVersion = tls.VersionTLS11
		t.CipherSuites = pinnedSuites()
		t.VerifyConnection = func(state tls.ConnectionState) error {
			got := sha256.Sum256(state.PeerCertificates[0].Raw)
			if subtle.ConstantTimeCompare(got[:], want) != 1 {
				return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: errFingerprint}
			}
			return nil
		}
	case c.CAFile != "":
		if _, err := c.authorities(); err != nil {
			return nil, &ConfigError{Field: "TLS.CAFile", Detail: err.Error()}
		}
		// crypto/tls reads its authorities once; these are read for each connection.
		t.InsecureSkipVerify = true // #nosec G402 -- VerifyConnection verifies instead
		t.VerifyConnection = func(state tls.ConnectionState) error { return c.verifyChain(state, host) }
	}
	return t, nil
}

func (c TLSConfig) certificate() (*tls.Certificate, error) {
	cert, err := regular.ReadFile(c.CertFile)
	if err != nil {
		return nil, err
	}
	key, err := regular.ReadFile(c.KeyFile)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(withoutMark(cert), withoutMark(key))
	return &pair, err
}

func (c TLSConfig) verifyChain(state tls.ConnectionState, host string) error {
	roots, err := c.authorities()
	if err != nil {
		return &fileError{"the file of certificate authorities cannot be read or holds none", c.CAFile}
	}
	opts := x509.VerifyOptions{Roots: roots, DNSName: host, Intermediates: x509.NewCertPool()}
	for _, cert := range state.PeerCertificates[1:] {
		opts.Intermediates.AddCert(cert)
	}
	if _, err = state.PeerCertificates[0].Verify(opts); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
	}
	return nil
}

func (c TLSConfig) authorities() (*x509.CertPool, error) {
	pem, err := regular.ReadFile(c.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(withoutMark(pem)) {
		return nil, errors.New(c.CAFile + " holds no certificate in PEM")
	}
	return pool, nil
}

// newTransport returns the client's own transport. It keeps connections over the pause between two
// cycles, because a TLS handshake costs more than a small report.
func newTransport(c *Config, tlsConfig *tls.Config) *http.Transport {
	dialer := &net.Dialer{Timeout: c.Timeout, KeepAlive: 30 * time.Second}
	// HTTP/1.1 only: over HTTP/2 net/http repeats requests by itself when ABS says GOAWAY, at its own
	// pace, and reports are few and long.
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		OnProxyConnectResponse: proxyAnswer,
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

// certificateEnd returns when the certificate expires that ABS showed for a response, or for which
// a connection was refused; zero where neither says.
func certificateEnd(resp *http.Response, err error) time.Time {
	var shown []*x509.Certificate
	var refused *tls.CertificateVerificationError
	switch {
	case err == nil && resp.TLS != nil:
		shown = resp.TLS.PeerCertificates
	case errors.As(err, &refused):
		shown = refused.UnverifiedCertificates
	}
	if len(shown) == 0 {
		return time.Time{}
	}
	return shown[0].NotAfter
}

// pinnedSuites returns the cipher suites of crypto/tls, those with RSA key exchange included.
func pinnedSuites() (ids []uint16) {
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if !strings.Contains(s.Name, "RC4") && !strings.Contains(s.Name, "3DES") {
			ids = append(ids, s.ID)
		}
	}
	return ids
}
