package collector

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/regular"
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
	stateVersion = 3
	stateHeader  = len(stateMagic) + 4 + 8 + sha256.Size
)

// savedState is what a target must keep across a restart. It holds token ids, no tokens.
type savedState struct {
	Target   string
	Labels   map[string]string // of the target's own
	URL      string            // of the ABS
	KeyCheck []byte            // identifies the token key that the ids were made with
	Saved    time.Time
	Ledger   *ledger.State
	Findings findings.State
}

// hasSeriesOf reports whether the counters are of series with the labels that those of t have.
func (s *savedState) hasSeriesOf(t *Target) bool {
	return s.Target == t.Name && maps.Equal(s.Labels, maps.Collect(t.Labels.All()))
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

// contentError is why the content of a state file is refused.
type contentError struct{ err error }

func (e *contentError) Error() string { return e.err.Error() }
func (e *contentError) Unwrap() error { return e.err }

func contentErrorf(format string, args ...any) error {
	return &contentError{fmt.Errorf(format, args...)}
}

// readState reads a state file.
func readState(path string) (*savedState, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return decodeState(f, info.Size())
}

// decodeState reads a state file of a size in bytes; one that is not whole is refused. Its header
// is checked before the rest is read: whatever else has the name may be of any size.
func decodeState(f io.Reader, size int64) (*savedState, error) {
	var header [stateHeader]byte
	if n, err := io.ReadFull(f, header[:]); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	} else if n < stateHeader || string(header[:len(stateMagic)]) != stateMagic {
		return nil, contentErrorf("it is damaged: it does not begin as a state file does")
	}
	numbers := header[len(stateMagic):]
	if v := binary.BigEndian.Uint32(numbers); v != stateVersion {
		advice := "run the abs-exporter that wrote it"
		if v > stateVersion {
			advice += ", or a newer one"
		}
		return nil, contentErrorf("it has version %d and this abs-exporter reads version %d: %s", v, stateVersion, advice)
	}
	size -= int64(stateHeader)
	if n := binary.BigEndian.Uint64(numbers[4:]); size < 0 || n != uint64(size) {
		return nil, contentErrorf("it is damaged: %d bytes long instead of %d", size, n)
	}
	payload := make([]byte, size)
	if _, err := io.ReadFull(f, payload); err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(payload); !bytes.Equal(sum[:], numbers[12:]) {
		return nil, contentErrorf("it is damaged: the checksum does not hold")
	}
	return decodePayload(payload)
}

// decodePayload decodes the gob of a state file.
func decodePayload(payload []byte) (*savedState, error) {
	var s savedState
	if err := gob.NewDecoder(bytes.NewReader(payload)).Decode(&s); err != nil {
		return nil, contentErrorf("it cannot be read: %w", err)
	}
	if s.Ledger == nil {
		return nil, contentErrorf("it cannot be read: it has no counters")
	}
	if err := s.Findings.Check(); err != nil {
		return nil, &contentError{err}
	}
	return &s, nil
}
