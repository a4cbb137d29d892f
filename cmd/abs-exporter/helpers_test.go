package main

import (
	"flag"
	"os"
	"testing"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// update writes the golden files and docs/configuration.md anew.
var update = flag.Bool("update", false, "write golden files and the reference anew")

// golden holds got against a file.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not current; write it anew with: go test ./cmd/abs-exporter -run '%s' -update\ngot:\n%s", path, t.Name(), got)
	}
}

func selfSignedPEM(t *testing.T) string {
	t.Helper()
	_, pem, _, err := simulator.SelfSigned("localhost")
	if err != nil {
		t.Fatal(err)
	}
	return string(pem)
}
