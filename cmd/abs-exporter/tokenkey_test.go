package main

import (
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
)

func TestTokenKeyIsGeneratedOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "state")
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	first, err := tokenKey("", dir, log)
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 64 {
		t.Errorf("the key has %d bytes, want 32 random ones as 64 hex digits", len(first))
	}
	for path, want := range map[string]fs.FileMode{dir: fs.ModeDir | 0o700, config.TokenKeyPath(dir): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), want)
		}
	}
	again, err := tokenKey("", dir, log)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, again) {
		t.Error("the second start generated another key")
	}
	other, err := tokenKey("", filepath.Join(t.TempDir(), "other"), log)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(first, other) {
		t.Error("two directories have the same key")
	}
	if strings.Contains(out.String(), string(first)) {
		t.Error("the log contains the key")
	}
}

func TestTokenKeyWithoutState(t *testing.T) {
	var out bytes.Buffer
	key, err := tokenKey("", "", slog.New(slog.NewTextHandler(&out, nil)))
	if err != nil || len(key) != 64 {
		t.Fatalf("%d bytes, %v", len(key), err)
	}
	if !strings.Contains(out.String(), "level=WARN") || !strings.Contains(out.String(), "will change with a restart") {
		t.Errorf("the log says %s", &out)
	}
}

func TestTokenKeyOfFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	for text, want := range map[string]string{
		"0123456789abcdef":       "0123456789abcdef",
		"0123456789abcdef\n":     "0123456789abcdef",
		"0123456789abcdef\r\n":   "0123456789abcdef",
		"0123456789abcdef\n\n":   "0123456789abcdef\n",
		" 0123456789abcdef\x00 ": " 0123456789abcdef\x00 ",
	} {
		write(t, path, text)
		key, err := tokenKey(path, "unused", slog.New(slog.DiscardHandler))
		if err != nil || string(key) != want {
			t.Errorf("%q: %q, %v", text, key, err)
		}
	}
	if _, err := os.Stat("unused"); err == nil {
		t.Error("a state directory was created for nothing")
	}
}

// A key that is there and cannot be used must not be replaced, or the labels would change unasked.
func TestTokenKeyDamaged(t *testing.T) {
	dir := t.TempDir()
	path := config.TokenKeyPath(dir)
	write(t, path, "short\n")
	_, err := tokenKey("", dir, slog.New(slog.DiscardHandler))
	if want := path + ": the key has 5 bytes; it needs 16 or more"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "short\n" {
		t.Errorf("the file holds %q now, %v", text, err)
	}
	// The directory is a file.
	_, err = tokenKey("", path, slog.New(slog.DiscardHandler))
	if err == nil {
		t.Error("a file is accepted as the state directory")
	}
}

// With another key the state would be refused anyway, after the lost one had been replaced for
// good.
func TestLostTokenKeyIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	state := filepath.Join(dir, "counters-abs.example.com-12345678.state")
	write(t, state, "whatever it holds")
	_, err := tokenKey("", dir, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), state) || !strings.Contains(err.Error(), config.TokenKeyPath(dir)) {
		t.Errorf("got %v, want an error that names the key and the state", err)
	}
	if _, err := os.Stat(config.TokenKeyPath(dir)); err == nil {
		t.Error("a new key was generated beside the state")
	}
}
