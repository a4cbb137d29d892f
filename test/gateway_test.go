package test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/elazarl/goproxy"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// secretsOfGateway are what the proxy, the gateway and ABS ask for. All contain the canary.
type secretsOfGateway struct{ proxy, token, header, access, secret string }

func gatewaySecrets(n int) secretsOfGateway {
	of := func(what string) string { return fmt.Sprintf("%s-%s-%d", what, canary, n) }
	return secretsOfGateway{of("proxy"), of("token"), of("header"), of("access"), of("secret")}
}

// authority issues certificates for ABS and for its client.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// newAuthority returns an authority that signs itself.
func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key, a.pem = issue(t, nil, nil)
	return a
}

func (a *authority) issue(t *testing.T) (cert, key []byte) {
	t.Helper()
	_, private, cert := issue(t, a.cert, a.key)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func issue(t *testing.T, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: serial.String()}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: parent == nil,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if parent == nil {
		template.KeyUsage = x509.KeyUsageCertSign
		parent, by = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// gateway is a simulated ABS behind a gateway with a path of its own, which asks for a client
// certificate, a bearer token and a header, and is reached through a forward proxy with basic auth.
type gateway struct {
	sim     *simulator.Simulator
	url     string
	proxy   string // its address
	server  *httptest.Server
	tls     atomic.Pointer[tls.Config]
	secrets atomic.Pointer[secretsOfGateway]
	tunnels atomic.Int64
	closing atomic.Bool // each response is the last of its connection

	mu   sync.Mutex
	seen bytes.Buffer // what passed the proxy, as far as it is not encrypted
}

func startGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{sim: canaryABS()}
	g.require(gatewaySecrets(0))
	mux := http.NewServeMux()
	mux.Handle("/pi/abs/", http.StripPrefix("/pi/abs", g.sim.Handler()))
	g.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.closing.Load() {
			w.Header().Set("Connection", "close")
		}
		if s := g.secrets.Load(); r.Header.Get("Authorization") != "Bearer "+s.token || r.Header.Get("X-Gateway") != s.header {
			http.Error(w, "the gateway refuses "+r.Header.Get("Authorization"), http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	g.server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return g.tls.Load(), nil }}
	g.server.StartTLS()
	g.url = g.server.URL + "/pi/abs"
	forward := goproxy.NewProxyHttpServer()
	forward.OnRequest().HandleConnectFunc(g.connect)
	proxy := httptest.NewServer(forward)
	g.proxy = strings.TrimPrefix(proxy.URL, "http://")
	t.Cleanup(func() {
		g.server.CloseClientConnections()
		g.server.Close()
		proxy.Close()
	})
	return g
}

// require sets what is asked for from now on.
func (g *gateway) require(s secretsOfGateway) {
	g.secrets.Store(&s)
	g.sim.SetKeys(s.access, s.secret)
}

// show sets the certificate that is shown, and the authority of the clients.
func (g *gateway) show(t *testing.T, cert, key []byte, clients *authority) {
	t.Helper()
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(clients.cert)
	g.tls.Store(&tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool})
}

// connect lets the proxy make a tunnel for whoever has its password.
func (g *gateway) connect(host string, ctx *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
	g.mu.Lock()
	_ = ctx.Req.Header.Write(&g.seen) // a buffer takes all
	g.mu.Unlock()
	if ctx.Req.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte("exporter:"+g.secrets.Load().proxy)) {
		ctx.Resp = goproxy.NewResponse(ctx.Req, goproxy.ContentTypeText, http.StatusProxyAuthRequired, "")
		ctx.Resp.Header.Set("Proxy-Authenticate", "Basic")
		return goproxy.RejectConnect, host
	}
	g.tunnels.Add(1)
	return goproxy.OkConnect, host
}

// gatewayFiles are the files that the exporter reads, in a directory.
type gatewayFiles string

// write replaces a file, as a program that rotates secrets does.
func (d gatewayFiles) write(t *testing.T, name string, content []byte) {
	t.Helper()
	name = filepath.Join(string(d), name)
	if err := os.WriteFile(name+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

func (d gatewayFiles) secrets(t *testing.T, s secretsOfGateway) {
	t.Helper()
	for name, text := range map[string]string{"access": s.access, "secret": s.secret, "token": s.token, "header": s.header, "proxy": s.proxy} {
		d.write(t, name, []byte(text+"\n"))
	}
}

func (d gatewayFiles) config(t *testing.T, g *gateway) string {
	t.Helper()
	d.write(t, "abs-exporter.yml", fmt.Appendf(nil, `targets:
  - name: test
    url: %s
    access-key-file: access
    secret-key-file: secret
    proxy-url: http://exporter@%s
    proxy-password-file: proxy
    bearer-token-file: token
    header-file: {X-Gateway: header}
    tls: {ca-file: ca.pem, cert-file: cert.pem, key-file: key.pem, min-version: TLS13}
`, g.url, g.proxy))
	return filepath.Join(string(d), "abs-exporter.yml")
}

// Keys, token, header, passwords, certificates and authorities change while the exporter runs, in
// its files and at the other end at different times. No request fails for that, and no secret is
// shown.
func TestRotationBehindProxyAndGateway(t *testing.T) {
	t.Parallel()
	g, d, ca := startGateway(t), gatewayFiles(t.TempDir()), newAuthority(t)
	cert, key := ca.issue(t)
	mine, mineKey := ca.issue(t)
	g.show(t, cert, key, ca)
	d.write(t, "ca.pem", ca.pem)
	d.write(t, "cert.pem", mine)
	d.write(t, "key.pem", mineKey)
	d.secrets(t, gatewaySecrets(0))
	e, probe := startProbed(t, nil, "--config="+d.config(t, g), "--state.dir="+filepath.Join(string(d), "state"), "--log.level=debug",
		"--collect.interval=250ms", "--collect.reread=250ms", "--collect.lookback=1h", "--abs.rate=1000", "--forensics.rate=1000", "--admin.interval=250ms")
	counted(t, e)
	c := &canaryExporter{exporter: e, probe: probe, sim: g.sim, echo: &echoes{}}
	cycles := func() float64 {
		n, _ := e.value(t, `abs_exporter_cycle_duration_seconds_count{target="test"}`)
		return n
	}
	const step = "a cycle begins and ends"
	during := func(change func()) {
		t.Helper()
		change()
		begun := cycles()
		until(t, step, func() bool { return cycles() > begun+1 })
		c.shown = append(c.shown, e.pages(t))
	}
	// The next connections are new: through the proxy, with what is in the files.
	reconnect := func() {
		t.Helper()
		g.closing.Store(true)
		defer g.closing.Store(false)
		before := g.tunnels.Load() + 8 // what is under way ends as it began
		until(t, "there are new connections", func() bool { return g.tunnels.Load() > before })
	}

	during(func() { d.secrets(t, gatewaySecrets(1)) }) // the files first
	during(func() { g.require(gatewaySecrets(1)) })
	other := newAuthority(t)
	both := append(bytes.Clone(ca.pem), other.pem...)
	during(func() { d.write(t, "ca.pem", both) })
	during(func() {
		newCert, newKey := other.issue(t)
		g.show(t, newCert, newKey, ca)
		reconnect()
	})
	during(func() { d.write(t, "ca.pem", other.pem) })
	newMine, newMineKey := ca.issue(t)
	during(func() {
		d.write(t, "cert.pem", newMine) // the key is still the old one
		reconnect()
	})
	during(func() {
		d.write(t, "key.pem", newMineKey)
		reconnect()
	})

	for line := range strings.Lines(e.get(t, "metrics")) {
		if strings.HasPrefix(line, "abs_exporter_report_failures_total{") && !strings.HasSuffix(line, " 0\n") {
			t.Errorf("a rotation fails: %s", line)
		}
	}
	for _, message := range []string{"changed keys refused", "changed keys accepted"} {
		if !strings.Contains(e.stderr.String(), message) {
			t.Errorf("the log lacks %q", message)
		}
	}

	// Now all is refused: by the proxy, and by the gateway, which echoes the token.
	during(func() {
		s := gatewaySecrets(1)
		s.proxy = "another"
		g.require(s)
		g.closing.Store(true)
		until(t, "the proxy refuses", func() bool { n, _ := e.value(t, `abs_up{target="test"}`); return n == 0 })
	})
	during(func() { g.require(gatewaySecrets(2)); d.write(t, "proxy", []byte(gatewaySecrets(2).proxy)) })
	until(t, "the gateway refuses", func() bool {
		n, _ := e.value(t, `abs_exporter_report_failures_total{reason="auth",report="oauthtokens",target="test"}`)
		return n > 0
	})
	during(func() { d.write(t, "token", []byte(gatewaySecrets(2).token+"\nx")) })
	c.dir = filepath.Join(string(d), "state")
	c.search(t, "oauthtokens", 1, syscall.SIGTERM)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, secret := range []string{"access-", "secret-", "token-", "header-", "X-Gateway", "X-Abs"} {
		if strings.Contains(g.seen.String(), secret) {
			t.Errorf("the proxy got %s", secret)
		}
	}
}
