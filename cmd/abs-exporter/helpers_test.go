package main

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// cleanEnv removes this program's variables from the environment of a test.
func cleanEnv(t *testing.T) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "ABS_EXPORTER") {
			t.Setenv(name, "")
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// keyFiles writes the two files of keys into a directory.
func keyFiles(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	write(t, filepath.Join(dir, "access"), "canary-access\n")
	write(t, filepath.Join(dir, "secret"), "canary-secret\n")
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tokenIDKey is the key of the token ids in tests.
const tokenIDKey = "the key of the token ids"

// startABS starts a simulated ABS. It returns the flags that name it, and sets its keys.
func startABS(t *testing.T, config simulator.Config) (sim *simulator.Simulator, flags []string) {
	t.Helper()
	cleanEnv(t)
	t.Setenv("ABS_EXPORTER_ABS_ACCESS_KEY", "abs_ak")
	t.Setenv("ABS_EXPORTER_ABS_SECRET_KEY", "abs_sk")
	sim = simulator.New(config)
	server := httptest.NewTLSServer(sim.Handler())
	t.Cleanup(server.Close)
	sum := sha256.Sum256(server.Certificate().Raw)
	key := filepath.Join(t.TempDir(), "key")
	write(t, key, tokenIDKey+"\n")
	return sim, []string{
		"--abs.url=" + server.URL, "--abs.name=test", "--abs.tls.fingerprint=" + hex.EncodeToString(sum[:]), "--series.token-key-file=" + key,
	}
}
