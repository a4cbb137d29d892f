package tlsclient

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/abs-exporter/abs-exporter/abs/regular"
)

// Config is how the client verifies ABS's certificate, and which one it presents. ABS ships with
// a self-signed certificate that may name no host (ABS guide, "Configure SSL"), so a single
// certificate can be trusted by its fingerprint.
type Config struct {
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

// FieldError says which field of Config is wrong and why.
type FieldError struct {
	Field  string
	Detail string // names no field
	Other  string // the field that Detail ends with, or ""
}

// Error names the fields.
func (e *FieldError) Error() string {
	return strings.TrimSpace(e.Field + ": " + e.Detail + " " + e.Other)
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

// ClientConfig returns the configuration of crypto/tls for one host. The error is a *FieldError.
func (c Config) ClientConfig(host string) (*tls.Config, error) {
	if c.ServerName != "" {
		host = c.ServerName
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	switch {
	case (c.CertFile == "") != (c.KeyFile == ""):
		field := "KeyFile"
		if c.CertFile == "" {
			field = "CertFile"
		}
		return nil, &FieldError{Field: field, Detail: "is missing: a client certificate is two files"}
	case c.Fingerprint != "" && c.InsecureSkipVerify:
		return nil, &FieldError{Field: "Fingerprint", Detail: "cannot be used together with", Other: "InsecureSkipVerify"}
	case c.Fingerprint != "" && c.CAFile != "":
		return nil, &FieldError{Field: "Fingerprint", Detail: "replaces the check of the chain, and cannot be used together with", Other: "CAFile"}
	}
	if c.CertFile != "" {
		if _, err := c.certificate(); err != nil {
			return nil, &FieldError{Field: "CertFile", Detail: err.Error()}
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
			return nil, &FieldError{Field: "Fingerprint", Detail: err.Error()}
		}
		t.InsecureSkipVerify = true // #nosec G402 -- VerifyConnection verifies instead
		// Whoever has the key of the pinned certificate is ABS, so the TLS versions and suites of
		// its Java are accepted.
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
			return nil, &FieldError{Field: "CAFile", Detail: err.Error()}
		}
		// crypto/tls reads its authorities once; these are read for each connection.
		t.InsecureSkipVerify = true // #nosec G402 -- VerifyConnection verifies instead
		t.VerifyConnection = func(state tls.ConnectionState) error { return c.verifyChain(state, host) }
	}
	return t, nil
}

func (c Config) certificate() (*tls.Certificate, error) {
	cert, err := regular.ReadFile(c.CertFile)
	if err != nil {
		return nil, err
	}
	key, err := regular.ReadFile(c.KeyFile)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(regular.WithoutMark(cert), regular.WithoutMark(key))
	return &pair, err
}

func (c Config) verifyChain(state tls.ConnectionState, host string) error {
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

func (c Config) authorities() (*x509.CertPool, error) {
	pem, err := regular.ReadFile(c.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(regular.WithoutMark(pem)) {
		return nil, errors.New(c.CAFile + " holds no certificate in PEM")
	}
	return pool, nil
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
