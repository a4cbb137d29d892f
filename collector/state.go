package collector

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"

	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
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

// savedState is what a target must know to go on after a restart.
type savedState struct {
	Target   string
	KeyCheck []byte // which token key the ids were made with, without telling it
	Saved    time.Time
	Ledger   *ledger.State
	Attacks  attacksState
	Cursor   tokenid.ID // of forensics' turn
}

type attacksState struct {
	Suspects   []suspectState
	Detections []detectionState
}

type suspectState struct {
	ID                 tokenid.ID
	Attacks, Anomalies int64
	Findings           []finding
	Answered           time.Time
}

type detectionState struct {
	Finding      finding
	Value        int64
	FirstExposed int64 // Unix ns; 0 while only the 0 was exposed
}

func (a *attacks) state() attacksState {
	var s attacksState
	for _, id := range sortedIDs(a.suspects) {
		x := a.suspects[id]
		s.Suspects = append(s.Suspects, suspectState{id, x.attacks, x.anomalies, x.findings, x.answered})
	}
	for f, c := range a.detections {
		s.Detections = append(s.Detections, detectionState{f, c.Value, c.FirstExposed()})
	}
	slices.SortFunc(s.Detections, func(a, b detectionState) int { return compareFindings(a.Finding, b.Finding) })
	return s
}

func (a *attacks) restore(s attacksState) {
	for _, x := range s.Suspects {
		a.suspects[x.ID] = &suspect{x.Attacks, x.Anomalies, x.Findings, x.Answered}
	}
	for _, d := range s.Detections {
		c := metrics.RestoredCount(d.Value, d.FirstExposed)
		a.detections[d.Finding] = &c
	}
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

// stateFile is where a target's state is kept; the zero value keeps none.
type stateFile struct{ path string }

func newStateFile(dir, target string) stateFile {
	if dir == "" {
		return stateFile{}
	}
	readable := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, target)
	sum := sha256.Sum256([]byte(target)) // two names may read alike
	return stateFile{filepath.Join(dir, "counters-"+readable+"-"+hex.EncodeToString(sum[:4])+".state")}
}

// load gives nil where nothing was saved yet.
func (f stateFile) load() (*savedState, error) {
	if f.path == "" {
		return nil, nil //nolint:nilnil // no state is no error
	}
	f.sweep()
	b, err := os.ReadFile(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil //nolint:nilnil // likewise
	case err != nil:
		return nil, fmt.Errorf("the state cannot be read: %w", err)
	}
	s, err := decodeState(b)
	if err != nil {
		return nil, fmt.Errorf("state file %s: %w. Nothing of it was used. Restore it from a copy, or remove it to begin the counters anew", f.path, err)
	}
	return s, nil
}

// sweep removes what a process that was killed while saving left behind.
func (f stateFile) sweep() {
	left, err := filepath.Glob(filepath.Join(filepath.Dir(f.path), "."+filepath.Base(f.path)+"*"))
	if err != nil {
		return
	}
	for _, path := range left {
		_ = os.Remove(path) // it does no harm but take room
	}
}

// save replaces the file in one step that no crash can halve: once it returns, the
// state is on the disk, name and all.
func (f stateFile) save(s *savedState) error {
	if f.path == "" {
		return nil
	}
	b, err := encodeState(s)
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(f.path, b, 0o600, renameio.WithStaticPermissions(0o600)); err != nil {
		return err
	}
	return syncDir(filepath.Dir(f.path))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// StateLock keeps other processes out of a state directory, and out of the token key
// that is kept there. The process's end lets go of it.
type StateLock struct{ lock *flock.Flock }

// LockState makes the directory, if need be, and makes sure that no other process counts
// into it. Where nothing can be written, saving will fail too, and rule 9 of the ledger
// takes care of that. An empty dir needs no lock.
func LockState(dir string) (*StateLock, error) {
	if dir == "" {
		return &StateLock{}, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the state directory cannot be made: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	held, err := lock.TryLock()
	if err == nil && !held {
		return nil, fmt.Errorf("another abs-exporter is running with the state directory %s: two would overwrite each other's counters. Give each a --state.dir of its own", dir)
	}
	return &StateLock{lock}, nil
}

// Close lets another process have the directory.
func (l *StateLock) Close() error {
	if l.lock == nil {
		return nil
	}
	return l.lock.Close()
}
