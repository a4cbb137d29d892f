package catalogue

import (
	"bytes"
	_ "embed" // attack-types.yml
	"fmt"

	"go.yaml.in/yaml/v3"
)

//go:embed attack-types.yml
var attackTypes []byte

// table returns the entries of attack-types.yml, which are data so that they can be read and
// changed without Go.
func table() ([]Entry, error) {
	var entries []Entry
	decoder := yaml.NewDecoder(bytes.NewReader(attackTypes))
	decoder.KnownFields(true)
	if err := decoder.Decode(&entries); err != nil {
		return nil, fmt.Errorf("attack-types.yml: %w", err)
	}
	return entries, nil
}
