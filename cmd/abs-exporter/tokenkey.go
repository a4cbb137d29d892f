package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// tokenKeyName is the key's file in the state directory.
const tokenKeyName = "token-id.key"

// tokenKey finds the key of the token ids: in file, else in the state directory, where
// it is made when it is not there; without a state directory it is random, and the
// log warns that the labels will not outlive the process.
func tokenKey(file, stateDir string, log *slog.Logger) (tokenid.Key, error) {
	switch {
	case file != "":
		return readTokenKey(file)
	case stateDir == "":
		log.Warn("the key of the token ids is made for this process alone: the values of the label token will change with a restart; " +
			"--series.token-key-file or --state.dir keeps it")
		return makeTokenKey(), nil
	}
	path := filepath.Join(stateDir, tokenKeyName)
	key, err := readTokenKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key = makeTokenKey()
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return nil, fmt.Errorf("--state.dir: cannot keep the key of the token ids: %w", err)
	}
	if err := renameio.WriteFile(path, append(bytes.Clone(key), '\n'), 0o600, renameio.WithStaticPermissions(0o600)); err != nil {
		return nil, fmt.Errorf("--state.dir: cannot keep the key of the token ids: %w", err)
	}
	log.Info("made the key of the token ids; keep it with the state, or the values of the label token change", "file", path)
	return key, nil
}

// readTokenKey reads a key: the bytes of the file less a last line break.
func readTokenKey(path string) (tokenid.Key, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	data = bytes.TrimSuffix(data, []byte("\n"))
	data = bytes.TrimSuffix(data, []byte("\r"))
	if len(data) < tokenid.MinKey {
		return nil, fmt.Errorf("%s: the key has %d bytes; it needs %d or more", path, len(data), tokenid.MinKey)
	}
	return data, nil
}

// makeTokenKey makes 32 random bytes, as hex digits so that it can be copied by hand.
func makeTokenKey() tokenid.Key {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the process instead
	return hex.AppendEncode(nil, raw)
}
