//go:debug x509negativeserial=1
//go:debug rsa1024min=0

package abs

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"
)

// rsaPair returns a self-signed certificate for 127.0.0.1 and its key, and the certificate as PEM.
func rsaPair(t *testing.T, bits int, change func(*x509.Certificate)) (pair tls.Certificate, ca []byte) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "abs"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		SignatureAlgorithm: x509.SHA256WithRSA,
	}
	change(c)
	der, err := x509.CreateCertificate(rand.Reader, c, c, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, pemOf("CERTIFICATE", der)
}

// withSHA1 signs a certificate again, with SHA-1, which crypto/x509 does not make any more.
func withSHA1(t *testing.T, der []byte, signer *rsa.PrivateKey) []byte {
	t.Helper()
	sha256WithRSA := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b}
	sha1WithRSA := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05}
	der = bytes.ReplaceAll(der, sha256WithRSA, sha1WithRSA)
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum(c.RawTBSCertificate)
	signature, err := rsa.SignPKCS1v15(rand.Reader, signer, crypto.SHA1, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return append(der[:len(der)-len(signature):len(der)-len(signature)], signature...)
}

// What TLS refuses is said as it is, with what to do. With a pin the handshake succeeds, but for
// what would have to be allowed for all connections of the process.
func TestRefusedByTLS(t *testing.T) {
	well := func(*x509.Certificate) {}
	negative, _ := rsaPair(t, 2048, func(c *x509.Certificate) { c.SerialNumber = big.NewInt(0x55) })
	negative.Certificate[0] = withSerial(t, negative, 0x55, 0xd5)
	small, smallCA := rsaPair(t, 768, well)
	weak := tls.Certificate{
		Certificate: small.Certificate, PrivateKey: weakSigner{small.PrivateKey.(*rsa.PrivateKey)},
		SupportedSignatureAlgorithms: []tls.SignatureScheme{tls.PKCS1WithSHA256},
	}
	nameless, namelessCA := rsaPair(t, 2048, func(c *x509.Certificate) { c.IPAddresses = nil })
	good, goodCA := rsaPair(t, 2048, well)

	rootKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(4), Subject: pkix.Name{CommonName: "root"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	if err != nil {
		t.Fatal(err)
	}
	leafKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(5), Subject: pkix.Name{CommonName: "abs"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: root.NotBefore, NotAfter: root.NotAfter, SignatureAlgorithm: x509.SHA256WithRSA,
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, leafKey.Public(), rootKey)
	if err != nil {
		t.Fatal(err)
	}
	old := tls.Certificate{Certificate: [][]byte{withSHA1(t, leafDER, rootKey)}, PrivateKey: leafKey}

	file := func(pem []byte) string {
		name := t.TempDir() + "/ca"
		write(t, name, string(pem))
		return name
	}
	fingerprint := func(c tls.Certificate) string {
		sum := sha256.Sum256(c.Certificate[0])
		return hex.EncodeToString(sum[:])
	}
	for _, c := range []struct {
		name    string
		godebug string
		server  *tls.Config
		ca      []byte // nil: the certificate is pinned
		want    string // "": works
	}{
		{"well", "", &tls.Config{Certificates: []tls.Certificate{good}}, goodCA, ""},
		{
			"a negative serial number", "x509negativeserial=0", &tls.Config{Certificates: []tls.Certificate{negative}}, goodCA,
			"the certificate of ABS has a negative serial number: a new certificate is needed, or GODEBUG=x509negativeserial=1",
		},
		// The program has this setting: cmd/abs-exporter/main.go.
		{"a negative serial number, pinned", "x509negativeserial=1", &tls.Config{Certificates: []tls.Certificate{negative}}, nil, ""},
		{
			"RSA with 768 bits", "rsa1024min=1", &tls.Config{Certificates: []tls.Certificate{weak}, MaxVersion: tls.VersionTLS12}, smallCA,
			"the RSA key of ABS's certificate has only 768 bits: a new certificate is needed, or, as insecure as it is, GODEBUG=rsa1024min=0",
		},
		{"RSA with 768 bits, pinned", "rsa1024min=0", &tls.Config{Certificates: []tls.Certificate{small}}, nil, ""},
		{
			"SHA-1 from a given authority", "", &tls.Config{Certificates: []tls.Certificate{old}}, pemOf("CERTIFICATE", rootDER),
			"the chain of ABS's certificate is signed with SHA1-RSA, which is not trusted: a new certificate is needed; until then, trust this certificate alone by --abs.tls.fingerprint",
		},
		{"SHA-1, pinned", "", &tls.Config{Certificates: []tls.Certificate{old}}, nil, ""},
		{
			"no host", "", &tls.Config{Certificates: []tls.Certificate{nameless}}, namelessCA,
			"the certificate of ABS names no host: trust this certificate alone by --abs.tls.fingerprint, or a new certificate is needed",
		},
		{"no host, pinned", "", &tls.Config{Certificates: []tls.Certificate{nameless}}, nil, ""},
		{
			"TLS 1.1 only", "", &tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, goodCA,
			"ABS speaks no version of TLS from 1.2 on: allow TLS 1.2 in its Java; or trust this certificate alone by --abs.tls.fingerprint, with which TLS 1.1 is accepted",
		},
		{"TLS 1.1 only, pinned", "", &tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, nil, ""},
		{
			"key exchange with RSA only", "", &tls.Config{Certificates: []tls.Certificate{good}, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}}, goodCA,
			"ABS ended the TLS handshake: no cipher suite in common, perhaps since it knows key exchange with RSA only: trust this certificate alone by --abs.tls.fingerprint, with which that is accepted; or GODEBUG=tlsrsakex=1",
		},
		{"key exchange with RSA only, pinned", "", &tls.Config{Certificates: []tls.Certificate{good}, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}}, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serveWith(t, c.server)
			conf := config(server.URL)
			if c.ca == nil {
				conf.TLS.Fingerprint = []string{fingerprint(c.server.Certificates[0])}
			} else {
				conf.TLS.CAFile = file(c.ca)
			}
			if c.godebug != "" {
				t.Setenv("GODEBUG", c.godebug)
			}
			_, err := mustClient(t, conf).Tokens(context.Background(), hour, noRows)
			if c.want == "" && err != nil || c.want != "" && (ReasonOf(err) != ReasonConnection || placeless(err) != "abs: oauthtokens: "+c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// weakSigner signs whatever the size of its key, as an old Java does: with PKCS #1 v1.5 and
// SHA-256.
type weakSigner struct{ *rsa.PrivateKey }

func (k weakSigner) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	prefix := []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}
	padding := bytes.Repeat([]byte{0xff}, k.Size()-len(prefix)-len(digest)-3)
	m := slices.Concat([]byte{0, 1}, padding, []byte{0}, prefix, digest)
	return new(big.Int).Exp(new(big.Int).SetBytes(m), k.D, k.N).FillBytes(make([]byte, k.Size())), nil
}

// withSerial replaces the serial number of a self-signed certificate and signs it again.
func withSerial(t *testing.T, pair tls.Certificate, old, serial byte) []byte {
	t.Helper()
	der := bytes.Replace(pair.Certificate[0], []byte{2, 1, old}, []byte{2, 1, serial}, 1)
	c, err := x509.ParseCertificate(der)
	if err != nil || c.SerialNumber.Sign() >= 0 {
		t.Fatal(c, err)
	}
	sum := sha256.Sum256(c.RawTBSCertificate)
	signature, err := rsa.SignPKCS1v15(rand.Reader, pair.PrivateKey.(*rsa.PrivateKey), crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return append(der[:len(der)-len(signature):len(der)-len(signature)], signature...)
}

// What a proxy refuses is said to be the proxy's.
func TestRefusedByProxy(t *testing.T) {
	for status, want := range map[int]string{
		407: "the proxy makes no connection to ABS: it answered 407 Proxy Authentication Required; give its user and password (--abs.proxy-url and --abs.proxy-password-file, or HTTPS_PROXY), or name ABS in NO_PROXY",
		403: "the proxy makes no connection to ABS: it answered 403 Forbidden; it must allow CONNECT to ABS, or ABS be named in NO_PROXY (--abs.no-proxy)",
		502: "the proxy makes no connection to ABS: it answered 502 Bad Gateway; it must allow CONNECT to ABS, or ABS be named in NO_PROXY (--abs.no-proxy)",
	} {
		proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "cAnArY")
		}))
		proxy.Config.ErrorLog = log.New(io.Discard, "", 0)
		proxy.Start()
		defer proxy.Close()
		client := mustClient(t, config("https://abs.example.com:8080"))
		at, err := url.Parse(proxy.URL)
		if err != nil {
			t.Fatal(err)
		}
		at.User = url.UserPassword("cAnArY", "cAnArY")
		client.transport.(*http.Transport).Proxy = http.ProxyURL(at)
		_, err = client.Tokens(context.Background(), hour, noRows)
		if want = "abs: oauthtokens: abs.example.com:8080 through proxy " + at.Host + ": " + want; ReasonOf(err) != ReasonConnection || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		checkQuiet(t, err)
	}
}
