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

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/collector/atomicfile"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// tokenKey returns the key of the token ids: of file, else of the state directory, where it is
// generated if it is missing. Without a state directory it is random, and the log warns that token
// ids will change with a restart.
func tokenKey(file, stateDir string, log *slog.Logger) (tokenid.Key, error) {
	switch {
	case file != "":
		return config.ReadTokenKey(file)
	case stateDir == "":
		log.Warn("the key of the token ids is kept in memory only",
			"consequence", "the values of the label token will change with a restart; --series.token-key-file or --state.dir keeps them")
		return newTokenKey(), nil
	}
	path := config.TokenKeyPath(stateDir)
	key, err := config.ReadTokenKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if states, _ := filepath.Glob(filepath.Join(stateDir, collector.StatePattern)); len(states) > 0 {
		return nil, fmt.Errorf("--state.dir: the key of the token ids, %s, is missing, but there is a state made with it, %s: "+
			"restore the key, or remove the state to begin the counters and all token ids anew", path, states[0])
	}
	key = newTokenKey()
	err = os.MkdirAll(stateDir, 0o700)
	if err == nil {
		err = atomicfile.Write(path, append(bytes.Clone(key), '\n'), 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("--state.dir: cannot keep the key of the token ids: %w", err)
	}
	log.Info("generated the key of the token ids", "file", path,
		"consequence", "keep it with the state, or the values of the label token change")
	return key, nil
}

// newTokenKey returns 32 random bytes, as hex digits so that people can copy them.
func newTokenKey() tokenid.Key {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the process instead
	return hex.AppendEncode(nil, raw)
}
