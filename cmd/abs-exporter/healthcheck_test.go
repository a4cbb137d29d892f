package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/pages"
	"github.com/abs-exporter/abs-exporter/collector"
)

// loops is a collector whose loops are alive, or not.
type loops bool

func (loops) Status() []collector.Status { return nil }
func (l loops) Alive() bool              { return bool(l) }
func (loops) LastHeartbeat() time.Time   { return time.Time{} }

// What a container's health check sees, by the probes of serve behind real listeners.
func TestHealthcheck(t *testing.T) {
	cleanEnv(t)
	dir := t.TempDir()
	alive := httptest.NewServer((&pages.Pages{Collector: loops(true)}).Probes())
	defer alive.Close()
	dead := httptest.NewServer((&pages.Pages{Collector: loops(false)}).Probes())
	defer dead.Close()
	locked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
	}))
	defer locked.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()

	write(t, filepath.Join(dir, "users.yml"), "basic_auth_users:\n  prometheus: $2y$04$u8Nn3o5mUPtVZYIEnZ9KGecMt9YjA3hJ5u7kI4w9nM4sPZyR2dQ0W\n")
	config := filepath.Join(dir, "config.yml")
	write(t, config, "abs:\n  url: https://abs.example.com\nweb:\n  listen-address: ["+address(alive)+"]\n")

	for _, test := range []struct {
		name           string
		args           []string
		status         int
		stdout, stderr string // stderr: in it
	}{
		{"alive", []string{"--web.listen-address=" + address(alive)}, 0, "alive\n", ""},
		{"on all addresses", []string{"--web.listen-address=" + strings.TrimPrefix(address(alive), "127.0.0.1")}, 0, "alive\n", ""},
		{"by the file of serve", []string{"--config=" + config}, 0, "alive\n", ""},
		{"the probe listener first", []string{"--web.listen-address=" + address(dead), "--web.probe-address=" + address(alive)}, 0, "alive\n", ""},
		{"dead", []string{"--web.listen-address=" + address(dead)}, 1, "", "503 Service Unavailable: the loop of a target has stopped"},
		{"gone", []string{"--web.listen-address=" + address(gone)}, 1, "", "health check of " + address(gone) + ": "},
		{"password", []string{"--web.listen-address=" + address(locked), "--web.config.file=" + filepath.Join(dir, "users.yml")}, 1, "", "401 Unauthorized: Unauthorized (--web.config.file protects this listener; --web.probe-address is"},
		{"port of the system", []string{"--web.listen-address=127.0.0.1:0"}, 2, "", `--web.listen-address: "127.0.0.1:0" leaves the port to the system`},
		{"invalid", []string{"--web.listen-address=10464"}, 2, "", "--web.listen-address"},
	} {
		var stdout, stderr bytes.Buffer
		status := run(t.Context(), append([]string{"healthcheck"}, test.args...), &stdout, &stderr)
		if status != test.status || stdout.String() != test.stdout || !strings.Contains(stderr.String(), test.stderr) || status != 0 && stderr.Len() == 0 {
			t.Errorf("%s: exit status %d, %s%swant %d, %s%s", test.name, status, &stdout, &stderr, test.status, test.stdout, test.stderr)
		}
	}
}

// A listener that --web.config.file protects by TLS, with a certificate for another name.
func TestHealthcheckOverTLS(t *testing.T) {
	cleanEnv(t)
	dir := keyFiles(t)
	cert, certPEM, _, err := simulator.SelfSigned("exporter.example.com")
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "cert.pem"), string(certPEM))
	write(t, filepath.Join(dir, "key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	web := filepath.Join(dir, "web.yml")
	write(t, web, "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n")
	p := start(t, "--abs.url=http://127.0.0.1:1", "--abs.access-key-file="+dir+"/access", "--abs.secret-key-file="+dir+"/secret",
		"--web.listen-address=127.0.0.1:0", "--state.dir=", "--web.config.file="+web)
	listener := p.stderr.find(t, listening, 1)[0]

	var stdout, stderr bytes.Buffer
	args := []string{"healthcheck", "--web.listen-address=" + listener, "--web.config.file=" + web}
	if status := run(t.Context(), args, &stdout, &stderr); status != exitOK || stdout.String() != "alive\n" {
		t.Errorf("exit status %d, %s%s", status, &stdout, &stderr)
	}
}

func address(s *httptest.Server) string { return s.Listener.Addr().String() }
