package test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// startABS serves a simulated ABS that runs in the test's process, over HTTPS, and returns the
// flags by which serve finds it. wrap, if not nil, is the handler before it.
func startABS(t *testing.T, sim *simulator.Simulator, wrap func(http.Handler) http.Handler) (flags []string) {
	t.Helper()
	handler := sim.Handler()
	if wrap != nil {
		handler = wrap(handler)
	}
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = wrap == nil // a handler that hijacks the connection needs HTTP/1.1
	server.StartTLS()
	t.Cleanup(func() {
		server.CloseClientConnections() // or Close would wait for responses that hang
		server.Close()
	})
	sum := sha256.Sum256(server.Certificate().Raw)
	return []string{
		"--abs.url=" + server.URL,
		"--abs.name=test",
		"--abs.tls.fingerprint=" + hex.EncodeToString(sum[:]),
	}
}

// keyFiles writes keys into files and returns the flags that name them.
func keyFiles(t *testing.T, access, secret string) []string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"access": access, "secret": secret} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return []string{
		"--abs.access-key-file=" + filepath.Join(dir, "access"),
		"--abs.secret-key-file=" + filepath.Join(dir, "secret"),
	}
}
