package tlsclient

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	promconfig "github.com/prometheus/common/config"

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
	// Fingerprint holds the SHA-256 of certificates in hex, with or without colons: ABS must show one
	// of them. They replace the verification of chain, name and date. FingerprintFile holds more of
	// them, one a line; it is read for each new connection.
	Fingerprint     []string
	FingerprintFile string
	// MinVersion is the lowest version of TLS, as Prometheus writes it, such as TLS13. By default
	// TLS12, or TLS11 with a fingerprint.
	MinVersion string
	// InsecureSkipVerify accepts any certificate.
	InsecureSkipVerify bool
}

// IsZero reports whether nothing is configured.
func (c Config) IsZero() bool { return reflect.ValueOf(c).IsZero() }

func (c Config) pinned() bool { return len(c.Fingerprint) > 0 || c.FingerprintFile != "" }

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

// errPair is of files that are no certificate and its key, while both can be read.
var errPair = errors.New("no pair")

type pairError struct{ error }

func (e *pairError) Is(target error) bool { return target == errPair }

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

// pins returns all fingerprints.
func (c Config) pins() (all [][]byte, wrong *FieldError) {
	for _, text := range c.Fingerprint {
		sum, err := parseFingerprint(text)
		if err != nil {
			return nil, &FieldError{Field: "Fingerprint", Detail: err.Error()}
		}
		all = append(all, sum)
	}
	if c.FingerprintFile == "" {
		return all, nil
	}
	bad := func(detail string) ([][]byte, *FieldError) {
		return nil, &FieldError{Field: "FingerprintFile", Detail: detail}
	}
	content, err := regular.ReadFile(c.FingerprintFile)
	if err != nil {
		return bad(err.Error())
	}
	n := len(all)
	number := 0
	for line := range strings.Lines(string(regular.WithoutMark(content))) {
		number++
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		sum, err := parseFingerprint(line)
		if err != nil {
			return bad(c.FingerprintFile + ":" + strconv.Itoa(number) + " " + err.Error())
		}
		all = append(all, sum)
	}
	if len(all) == n {
		return bad(c.FingerprintFile + " holds no fingerprint")
	}
	return all, nil
}

// check returns what is wrong, less what is in files.
func (c Config) check() *FieldError {
	pin := "Fingerprint"
	if len(c.Fingerprint) == 0 {
		pin = "FingerprintFile"
	}
	_, known := promconfig.TLSVersions[c.MinVersion]
	switch {
	case (c.CertFile == "") != (c.KeyFile == ""):
		field := "KeyFile"
		if c.CertFile == "" {
			field = "CertFile"
		}
		return &FieldError{Field: field, Detail: "is missing: a client certificate is two files"}
	case c.pinned() && c.InsecureSkipVerify:
		return &FieldError{Field: pin, Detail: "cannot be used together with", Other: "InsecureSkipVerify"}
	case c.pinned() && c.CAFile != "":
		return &FieldError{Field: pin, Detail: "replaces the check of the chain, and cannot be used together with", Other: "CAFile"}
	case c.MinVersion != "" && !known:
		return &FieldError{Field: "MinVersion", Detail: "must be TLS10, TLS11, TLS12 or TLS13"}
	}
	return nil
}

// ClientConfig returns the configuration of crypto/tls for one host. The error is a *FieldError.
func (c Config) ClientConfig(host string) (*tls.Config, error) {
	if wrong := c.check(); wrong != nil {
		return nil, wrong
	}
	if c.ServerName != "" {
		host = c.ServerName
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CertFile != "" {
		pair, err := c.certificate()
		if err != nil {
			return nil, &FieldError{Field: "CertFile", Detail: err.Error()}
		}
		t.GetClientCertificate = c.presenter(pair)
	}
	switch {
	case c.InsecureSkipVerify:
		t.InsecureSkipVerify = true // #nosec G402 -- configured, with a warning
	case c.pinned():
		if _, wrong := c.pins(); wrong != nil {
			return nil, wrong
		}
		t.InsecureSkipVerify = true // #nosec G402 -- VerifyConnection verifies instead
		// Whoever has the key of the pinned certificate is ABS, so the TLS versions and suites of
		// its Java are accepted.
		t.MinVersion = tls.VersionTLS11
		t.CipherSuites = pinnedSuites()
		t.VerifyConnection = c.verifyPin
	case c.CAFile != "":
		if _, err := c.authorities(); err != nil {
			return nil, &FieldError{Field: "CAFile", Detail: err.Error()}
		}
		// crypto/tls reads its authorities once; these are read for each connection.
		t.InsecureSkipVerify = true // #nosec G402 -- VerifyConnection verifies instead
		t.VerifyConnection = func(state tls.ConnectionState) error { return c.verifyChain(state, host) }
	}
	if c.MinVersion != "" {
		t.MinVersion = uint16(promconfig.TLSVersions[c.MinVersion])
	}
	return t, nil
}

// presenter returns what reads the client's certificate for each connection. Its two files change
// one after the other: while they do not fit, the pair before is presented.
func (c Config) presenter(first *tls.Certificate) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	var last atomic.Pointer[tls.Certificate]
	last.Store(first)
	return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := c.certificate()
		if errors.Is(err, errPair) {
			return last.Load(), nil
		}
		if err != nil {
			return nil, &fileError{"the client certificate or its key cannot be read", c.CertFile + ", " + c.KeyFile}
		}
		last.Store(pair)
		return pair, nil
	}
}

func (c Config) verifyPin(state tls.ConnectionState) error {
	pins, wrong := c.pins()
	if wrong != nil {
		return &fileError{"the file of fingerprints cannot be used", c.FingerprintFile}
	}
	got := sha256.Sum256(state.PeerCertificates[0].Raw)
	for _, pin := range pins {
		if subtle.ConstantTimeCompare(got[:], pin) == 1 {
			return nil
		}
	}
	return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: errFingerprint}
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
	if err != nil {
		return nil, &pairError{err}
	}
	return &pair, nil
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
