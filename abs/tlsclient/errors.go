package tlsclient

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Explain says why a proxy or TLS made no connection, and what to do; nothing if that is not what
// happened.
func Explain(err error) string { return cmp.Or(certificateText(err), handshakeText(err)) }

// Certificates returns the chain that ABS presented, of a response or of a refused connection.
func Certificates(resp *http.Response, err error) []*x509.Certificate {
	var refused *tls.CertificateVerificationError
	switch {
	case err == nil && resp.TLS != nil:
		return resp.TLS.PeerCertificates
	case errors.As(err, &refused):
		return refused.UnverifiedCertificates
	}
	return nil
}

// pin is what helps against any certificate that cannot be verified.
const pin = "trust this certificate alone by --abs.tls.fingerprint"

// crypto/tls and crypto/x509 have no error types for these refusals, so their texts are matched.
// Only these parts of the texts are repeated.
var (
	insecureAlgorithm = regexp.MustCompile(`insecure algorithm ([A-Z0-9-]+)`)
	smallKey          = regexp.MustCompile(`crypto/rsa: ([0-9]+)-bit keys are insecure`)
)

// proxyError is the answer of a proxy that makes no connection to ABS.
type proxyError struct{ status int }

func (e *proxyError) Error() string { return "the proxy answered " + strconv.Itoa(e.status) }

// RefusedByProxy reports whether a proxy refused user and password.
func RefusedByProxy(err error) bool {
	var proxy *proxyError
	return errors.As(err, &proxy) && proxy.status == http.StatusProxyAuthRequired
}

// ProxyAnswer is for http.Transport.OnProxyConnectResponse.
func ProxyAnswer(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyError{resp.StatusCode}
}

// handshakeText says why a proxy or TLS made no connection, and what to do; nothing if that is not
// what happened.
func handshakeText(err error) string {
	var proxy *proxyError
	if errors.As(err, &proxy) {
		text := "the proxy makes no connection to ABS: it answered " + strconv.Itoa(proxy.status) + " " + http.StatusText(proxy.status)
		if proxy.status == http.StatusProxyAuthRequired {
			return text + "; give its user and password (--abs.proxy-url and --abs.proxy-password-file, or HTTPS_PROXY), or name ABS in NO_PROXY"
		}
		return text + "; it must allow CONNECT to ABS, or ABS be named in NO_PROXY (--abs.no-proxy)"
	}
	switch text := err.Error(); {
	case strings.Contains(text, "x509: negative serial number"):
		return "the certificate of ABS has a negative serial number: a new certificate is needed, or GODEBUG=x509negativeserial=1"
	case smallKey.MatchString(text):
		return "the RSA key of ABS's certificate has only " + smallKey.FindStringSubmatch(text)[1] +
			" bits: a new certificate is needed, or, as insecure as it is, GODEBUG=rsa1024min=0"
	case strings.Contains(text, "tls: failed to parse certificate from server"):
		return "the certificate of ABS cannot be parsed: a new certificate is needed"
	case strings.Contains(text, "tls: protocol version not supported"),
		strings.Contains(text, "tls: server selected unsupported protocol version"):
		return "ABS speaks no version of TLS from 1.2 on: allow TLS 1.2 in its Java; or " + pin + ", with which TLS 1.1 is accepted"
	case strings.Contains(text, "remote error: tls: handshake failure"),
		strings.Contains(text, "tls: server chose an unconfigured cipher suite"):
		return "ABS ended the TLS handshake: no cipher suite in common, perhaps since it knows key exchange with RSA only: " + pin +
			", with which that is accepted; or GODEBUG=tlsrsakex=1"
	case strings.Contains(text, "tls: downgrade attempt detected"):
		return "something between the exporter and ABS downgrades TLS: both know a newer version than the one that was chosen"
	case strings.Contains(text, "tls: invalid signature by the server certificate"):
		return "what answers does not have the key of the certificate that it shows"
	case breaksRules(err):
		return "what answers breaks the rules of TLS, or something on the way does"
	}
	return ""
}

// breaksRules reports whether this end refused what it received as no proper TLS. The text of such
// an error is not repeated.
func breaksRules(err error) bool {
	var op *net.OpError
	var record tls.RecordHeaderError
	if errors.As(err, &record) || errors.As(err, &op) && op.Op == "remote error" {
		return false
	}
	return strings.Contains(err.Error(), "tls: ")
}

// certificateText says why a certificate was refused, and nothing if that is not what happened. It
// names what ABS's certificate says, which is no secret.
func certificateText(err error) string {
	if file := (*fileError)(nil); errors.As(err, &file) {
		return file.Error()
	}
	if errors.Is(err, errFingerprint) {
		return errFingerprint.Error()
	}
	var (
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		roots   x509.SystemRootsError
		refused *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &unknown) && insecureAlgorithm.MatchString(err.Error()):
		return "the chain of ABS's certificate is signed with " + insecureAlgorithm.FindStringSubmatch(err.Error())[1] +
			", which is not trusted: a new certificate is needed; until then, " + pin
	case errors.As(err, &unknown):
		return "the certificate of ABS is signed by an unknown authority: name its CA file, or its fingerprint"
	case errors.As(err, &host) && len(host.Certificate.DNSNames)+len(host.Certificate.IPAddresses) == 0:
		return "the certificate of ABS names no host: " + pin + ", or a new certificate is needed"
	case errors.As(err, &host):
		return "the certificate of ABS is for another host: name the server name that it has, or its fingerprint"
	case errors.As(err, &invalid):
		return "the certificate of ABS is not valid: " + invalid.Error()
	case errors.As(err, &roots):
		return "the system's certificate authorities cannot be read"
	case errors.As(err, &refused):
		return "the certificate of ABS is not trusted"
	}
	return ""
}
