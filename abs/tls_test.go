package abs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// selfSigned returns a certificate as ABS ships one: its own authority.
func selfSigned(t *testing.T, name string, until time.Time, hosts ...string) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: hosts,
		NotBefore: until.AddDate(-1, 0, 0), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pemOf("CERTIFICATE", der), pemOf("PRIVATE KEY", secret)
}

func serveWith(t *testing.T, config *tls.Config) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{`+named+`}`)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = config
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		name = filepath.Join(dir, name)
		write(t, name, string(content))
		return name
	}
	later := time.Now().AddDate(0, 6, 0)
	cert, key := selfSigned(t, "abs", later, "abs.internal")
	old, oldKey := selfSigned(t, "old", time.Now().AddDate(0, -1, 0), "abs.internal")
	other, _ := selfSigned(t, "other", later, "abs.internal")
	mine, mineKey := selfSigned(t, "client", later)
	pair := func(cert, key []byte) tls.Certificate {
		p, err := tls.X509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	fingerprint := func(cert []byte) string {
		block, _ := pem.Decode(cert)
		sum := sha256.Sum256(block.Bytes)
		return hex.EncodeToString(sum[:])
	}
	colons := func(s string) string {
		var parts []string
		for i := 0; i < len(s); i += 2 {
			parts = append(parts, strings.ToUpper(s[i:i+2]))
		}
		return strings.Join(parts, ":")
	}
	ca, otherCA, oldCA := file("ca", cert), file("other", other), file("old", old)
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(mine)
	server := serveWith(t, &tls.Config{Certificates: []tls.Certificate{pair(cert, key)}})
	expired := serveWith(t, &tls.Config{Certificates: []tls.Certificate{pair(old, oldKey)}})
	mutual := serveWith(t, &tls.Config{Certificates: []tls.Certificate{pair(cert, key)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients})
	tls11 := serveWith(t, &tls.Config{Certificates: []tls.Certificate{pair(cert, key)}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	tls12 := serveWith(t, &tls.Config{Certificates: []tls.Certificate{pair(cert, key)}, MaxVersion: tls.VersionTLS12})

	const unknown = "abs: oauthtokens: the certificate of ABS is signed by an unknown authority: name its CA file, or its fingerprint"
	for _, c := range []struct {
		name   string
		server *httptest.Server
		config TLSConfig
		want   string // "": works
		shown  bool   // the certificate's end is observed
	}{
		{"system authorities", server, TLSConfig{}, "abs: oauthtokens: the certificate of ABS is for another host: ", true},
		{"system authorities, server name", server, TLSConfig{ServerName: "abs.internal"}, unknown, true},
		{"authority and name", server, TLSConfig{CAFile: ca, ServerName: "abs.internal"}, "", true},
		{"authority, not the name", server, TLSConfig{CAFile: ca}, "abs: oauthtokens: the certificate of ABS is for another host: name the server name that it has, or its fingerprint", true},
		{"another authority", server, TLSConfig{CAFile: otherCA, ServerName: "abs.internal"}, unknown, true},
		{"expired", expired, TLSConfig{CAFile: oldCA, ServerName: "abs.internal"}, "abs: oauthtokens: the certificate of ABS is not valid: x509: certificate has expired or is not yet valid: ", true},
		{"fingerprint", server, TLSConfig{Fingerprint: []string{fingerprint(cert)}}, "", true},
		{"fingerprint with colons", server, TLSConfig{Fingerprint: []string{colons(fingerprint(cert))}}, "", true},
		{"two fingerprints", server, TLSConfig{Fingerprint: []string{fingerprint(other), fingerprint(cert)}}, "", true},
		{"a file of fingerprints", server, TLSConfig{FingerprintFile: file("pins", []byte(fingerprint(other)+"\n\n"+colons(fingerprint(cert))+"\n"))}, "", true},
		{"TLS 1.3 at least", tls12, TLSConfig{InsecureSkipVerify: true, MinVersion: "TLS13"}, "abs: oauthtokens: ", false},
		{"TLS 1.0 at least", tls11, TLSConfig{InsecureSkipVerify: true, MinVersion: "TLS10"}, "", true},
		{"fingerprint of an expired certificate", expired, TLSConfig{Fingerprint: []string{fingerprint(old)}}, "", true},
		{"fingerprint of another", server, TLSConfig{Fingerprint: []string{fingerprint(other)}}, "abs: oauthtokens: the certificate of ABS does not have the fingerprint that is configured", true},
		{"insecure", expired, TLSConfig{InsecureSkipVerify: true}, "", true},
		{"client certificate", mutual, TLSConfig{Fingerprint: []string{fingerprint(cert)}, CertFile: file("mine", mine), KeyFile: file("mine.key", mineKey)}, "", true},
		{"no client certificate", mutual, TLSConfig{Fingerprint: []string{fingerprint(cert)}}, "abs: oauthtokens: ABS ended the TLS handshake: certificate required", false},
		{"TLS 1.1", tls11, TLSConfig{InsecureSkipVerify: true}, "abs: oauthtokens: ", false},
		{"TLS 1.2", tls12, TLSConfig{InsecureSkipVerify: true}, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := config(c.server.URL)
			config.TLS = c.config
			var expires time.Time
			config.Observe = func(c Call) { expires = c.CertificateExpires }
			_, err := mustClient(t, config).Tokens(context.Background(), hour, noRows)
			checkQuiet(t, err)
			if want := c.server.TLS.Certificates[0].Leaf.NotAfter; c.shown != !expires.IsZero() || c.shown && !expires.Equal(want) {
				t.Errorf("the certificate's end is observed as %v; it is %v", expires, want)
			}
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (ReasonOf(err) != ReasonConnection || !strings.HasPrefix(placeless(err), c.want)):
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

// Changed files are used for the next connection. A client certificate and a key that do not fit
// are in the middle of a change: the pair before them is presented.
func TestTLSFilesChange(t *testing.T) {
	dir := t.TempDir()
	later := time.Now().AddDate(0, 6, 0)
	cert, key := selfSigned(t, "abs", later, "abs.internal")
	wrong, wrongKey := selfSigned(t, "wrong", later, "abs.internal")
	mine, mineKey := selfSigned(t, "client", later)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(mine)
	server := serveWith(t, &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients})
	c := config(server.URL)
	c.TLS = TLSConfig{CAFile: filepath.Join(dir, "ca"), CertFile: filepath.Join(dir, "cert"), KeyFile: filepath.Join(dir, "key"), ServerName: "abs.internal"}
	var client *Client
	for i, step := range []struct {
		ca, cert, key []byte
		works         bool
	}{{wrong, mine, mineKey, false}, {cert, wrong, wrongKey, false}, {cert, mine, mineKey, true}, {nil, mine, mineKey, false}, {cert, mine, nil, true}, {cert, wrong, mineKey, true}} {
		write(t, c.TLS.CAFile, string(step.ca))
		write(t, c.TLS.CertFile, string(step.cert))
		write(t, c.TLS.KeyFile, string(step.key))
		if client == nil {
			client = mustClient(t, c)
		}
		client.Close() // an idle connection would be used again
		_, err := client.Tokens(context.Background(), hour, noRows)
		if (err == nil) != step.works || err != nil && ReasonOf(err) != ReasonConnection {
			t.Errorf("step %d: %v", i, err)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	write(t, empty, "cAnArY")
	gone := filepath.Join(dir, "gone")
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.URL = "" }, "abs: URL: is missing; it looks like https://abs.example.com:8080"},
		{func(c *Config) { c.URL = "https://cAnArY@%zz" }, "abs: URL: is not a URL; it looks like https://abs.example.com:8080"},
		{func(c *Config) { c.URL = "abs.example.com:8080" }, "abs: URL: must begin with https:// or http://"},
		{func(c *Config) { c.URL = "https://" }, "abs: URL: names no host"},
		{func(c *Config) { c.URL = "https://me:cAnArY@abs" }, "abs: URL: holds a user; ABS knows keys only, and they stand elsewhere"},
		{func(c *Config) { c.URL = "https://abs?x=cAnArY" }, "abs: URL: has a query or a fragment; only the base is wanted"},
		{func(c *Config) { c.User = 7 }, "abs: User: must be Admin or Restricted"},
		{func(c *Config) { c.WindowEnd = -1 }, "abs: WindowEnd: must be Exclusive or Inclusive"},
		{func(c *Config) { c.AdminPath = "v5/cAnArY" }, "abs: AdminPath: must be a plain path that begins with /, such as /v5/abs/admin"},
		{func(c *Config) { c.Timeout = -1 }, "abs: Timeout: must not be negative"},
		{func(c *Config) { c.Rate = -1 }, "abs: Rate: must be a number of requests a second, above 0"},
		{func(c *Config) { c.Rate = math.Inf(1) }, "abs: Rate: must be a number of requests a second, above 0"},
		{func(c *Config) { c.Concurrency = -1 }, "abs: Concurrency: must not be negative"},
		{func(c *Config) { c.ResponseCap = -1 }, "abs: ResponseCap: must be between 0 and 2^53 bytes"},
		{func(c *Config) { c.Keys = nil }, "abs: Keys: are missing; ABS answers nobody without"},
		{func(c *Config) { c.Keys = StaticKeys(accessKey, "cAnArY:") }, "abs: Keys: the secret key contains a colon, which ABS does not allow in keys"},
		{func(c *Config) { c.TLS.CAFile = gone }, "abs: TLS.CAFile: open " + gone + ": no such file or directory"},
		{func(c *Config) { c.TLS.CAFile = empty }, "abs: TLS.CAFile: " + empty + " holds no certificate in PEM"},
		{func(c *Config) { c.TLS.CertFile = empty }, "abs: TLS.KeyFile: is missing: a client certificate is two files"},
		{func(c *Config) { c.TLS.KeyFile = empty }, "abs: TLS.CertFile: is missing: a client certificate is two files"},
		{func(c *Config) { c.TLS.CertFile, c.TLS.KeyFile = empty, empty }, "abs: TLS.CertFile: tls: failed to find any PEM data in certificate input"},
		{func(c *Config) { c.TLS.FingerprintFile = gone }, "abs: TLS.FingerprintFile: open " + gone + ": no such file or directory"},
		{func(c *Config) { c.TLS.FingerprintFile = empty }, "abs: TLS.FingerprintFile: " + empty + ":1 is not a SHA-256: 64 hexadecimal digits, with or without colons"},
		{func(c *Config) { c.TLS.MinVersion = "1.2" }, "abs: TLS.MinVersion: must be TLS10, TLS11, TLS12 or TLS13"},
		{func(c *Config) { c.Proxy.URL = "http://me:cAnArY@proxy:3128" }, "abs: Proxy.URL: holds a password, which belongs into a file of its own"},
		{func(c *Config) { c.Proxy.URL = "cAnArY:3128" }, "abs: Proxy.URL: is no URL of the form http://host:port; https, socks5 and socks5h are possible too"},
		{func(c *Config) { c.Proxy.URL = "http://proxy:0" }, "abs: Proxy.URL: has no port from 1 to 65535 after its colon"},
		{func(c *Config) { c.Proxy.PasswordFile = empty }, "abs: Proxy.PasswordFile: is there without the URL of a proxy"},
		{func(c *Config) { c.Gateway.HeaderFiles = map[string]string{"X-Abs-Sk-Ru": empty} }, "abs: Gateway.HeaderFiles: the header X-Abs-Sk-Ru is set by the exporter itself"},
		{func(c *Config) { c.Gateway.HeaderFiles = map[string]string{"transfer-encoding": empty} }, "abs: Gateway.HeaderFiles: the header Transfer-Encoding is set by the exporter itself"},
		{func(c *Config) { c.Gateway.BearerTokenFile = gone }, "abs: Gateway.BearerTokenFile: the bearer token cannot be read: open " + gone + ": no such file or directory"},
		{func(c *Config) { c.TLS.Fingerprint = []string{"cAnArY"} }, "abs: TLS.Fingerprint: is not a SHA-256: 64 hexadecimal digits, with or without colons"},
		{func(c *Config) { c.TLS = TLSConfig{Fingerprint: []string{"00"}, InsecureSkipVerify: true} }, "abs: TLS.Fingerprint: cannot be used together with TLS.InsecureSkipVerify"},
		{func(c *Config) { c.TLS = TLSConfig{Fingerprint: []string{"00"}, CAFile: empty} }, "abs: TLS.Fingerprint: replaces the check of the chain, and cannot be used together with TLS.CAFile"},
	} {
		config := config("https://abs.example.com:8080")
		c.change(&config)
		_, err := NewClient(config)
		var e *ConfigError
		if !errors.As(err, &e) || err.Error() != c.want || !strings.HasPrefix(c.want, "abs: "+e.Field+": ") {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		url  string
		tls  TLSConfig
		want int
	}{
		{"https://abs", TLSConfig{}, 0},
		{"http://abs", TLSConfig{}, 1},
		{"http://abs", TLSConfig{InsecureSkipVerify: true}, 2},
		{"https://abs", TLSConfig{InsecureSkipVerify: true}, 1},
		{"https://abs", TLSConfig{Fingerprint: []string{strings.Repeat("00", 32)}}, 0},
	} {
		config := config(c.url)
		config.TLS = c.tls
		if got := mustClient(t, config).Warnings(); len(got) != c.want {
			t.Errorf("%s %+v: %q", c.url, c.tls, got)
		}
	}
}

// The file that a connection failed for is named: it was there when the client was made.
func TestFilesThatVanishAreNamed(t *testing.T) {
	server := serve(t, func(http.ResponseWriter, *http.Request) {})
	c := trusting(t, server)
	client := mustClient(t, c)
	if err := os.Remove(c.TLS.CAFile); err != nil {
		t.Fatal(err)
	}
	_, err := client.Tokens(context.Background(), hour, noRows)
	if want := "abs: oauthtokens: the file of certificate authorities cannot be read or holds none: " + c.TLS.CAFile; err == nil || placeless(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
}
