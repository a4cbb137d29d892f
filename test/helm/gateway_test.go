package helm

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

// A gateway in front of ABS gets the password, the token and the header from the Secrets that
// secretFiles names.
func TestDeployedBehindAGateway(t *testing.T) {
	address, certificate := startABS(t)
	abs, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(abs)
	proxy.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, basic := r.BasicAuth()
		bearer := r.Header.Get("Authorization") == "Bearer the-token"
		if r.Header.Get("X-Api-Key") != "the-key" || !bearer && (!basic || user != "exporter" || password != "the-password") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(gateway.Close)
	c := newCluster(certificate)
	c.secrets["abs-gateway"] = map[string]string{"password": "the-password", "token": "the-token", "api-key": "the-key"}
	d := deploy(t, c, fmt.Sprintf(`
targets:
  - name: basic
    url: %[1]s
    existingSecret: {name: abs-keys}
    secretFiles: {basicAuthPassword: {name: abs-gateway, key: password}, headers: {X-Api-Key: {name: abs-gateway, key: api-key}}}
    settings: {basic-auth: {user: exporter}}
  - name: bearer
    url: %[1]s
    existingSecret: {name: abs-keys}
    secretFiles: {bearerToken: {name: abs-gateway, key: token}, headers: {X-Api-Key: {name: abs-gateway, key: api-key}}}
web: {port: %[2]s, probePort: %[3]s}
`, gateway.URL, freePort(t), freePort(t)))
	answers(t, fmt.Sprintf("http://127.0.0.1:%d/metrics", d.containerPort(t, "http")), func(_ int, body string) bool {
		return strings.Contains(body, "\nabs_up{target=\"basic\"} 1\n") && strings.Contains(body, "\nabs_up{target=\"bearer\"} 1\n")
	}, "both targets")
}
