package config

import (
	"bytes"
	"fmt"
	"path/filepath"

	"github.com/abs-exporter/abs-exporter/abs/regular"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// TokenKeyPath returns the file of the key of the token ids in a state directory.
func TokenKeyPath(stateDir string) string { return filepath.Join(stateDir, "token-id.key") }

// ReadTokenKey reads the key of the token ids: the bytes of the file without a trailing line break.
func ReadTokenKey(path string) (tokenid.Key, error) {
	data, err := regular.ReadFile(path)
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
