package collector

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/findings"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
)

// A state file is a header and a gob of savedState:
//
//	magic, version (4 bytes), length of the gob (8 bytes), SHA-256 of the gob
//
// The length and the checksum make sure that a file which was cut or changed is
// refused as a whole.
const (
	stateMagic   = "abs-exporter state\n"
	stateVersion = 1
	stateHeader  = len(stateMagic) + 4 + 8 + sha256.Size
)

// savedState is what a target must keep across a restart. It holds token ids, no tokens.
type savedState struct {
	Target   string
	URL      string // of the ABS
	KeyCheck []byte // identifies the token key that the ids were made with
	Saved    time.Time
	Ledger   *ledger.State
	Findings findings.State
}

// encodeState is the bytes of a state file.
func encodeState(s *savedState) ([]byte, error) {
	var file bytes.Buffer
	file.Write(make([]byte, stateHeader))
	if err := gob.NewEncoder(&file).Encode(s); err != nil {
		return nil, err
	}
	b := file.Bytes()
	payload := b[stateHeader:]
	sum := sha256.Sum256(payload)
	n := copy(b, stateMagic)
	binary.BigEndian.PutUint32(b[n:], stateVersion)
	binary.BigEndian.PutUint64(b[n+4:], uint64(len(payload)))
	copy(b[n+12:], sum[:])
	return b, nil
}

// decodeState reads a state file; one that is not whole is refused.
func decodeState(b []byte) (*savedState, error) {
	if len(b) < stateHeader || string(b[:len(stateMagic)]) != stateMagic {
		return nil, errors.New("it is damaged: it does not begin as a state file does")
	}
	header, payload := b[len(stateMagic):stateHeader], b[stateHeader:]
	if v := binary.BigEndian.Uint32(header); v != stateVersion {
		return nil, fmt.Errorf("it has version %d and this abs-exporter reads version %d: run the abs-exporter that wrote it, or a newer one", v, stateVersion)
	}
	if n := binary.BigEndian.Uint64(header[4:]); n != uint64(len(payload)) {
		return nil, fmt.Errorf("it is damaged: %d bytes long instead of %d", len(payload), n)
	}
	if sum := sha256.Sum256(payload); !bytes.Equal(sum[:], header[12:]) {
		return nil, errors.New("it is damaged: the checksum does not hold")
	}
	var s savedState
	if err := gob.NewDecoder(bytes.NewReader(payload)).Decode(&s); err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	return &s, nil
}
