package collector

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/atomicfile"
	"github.com/abs-exporter/abs-exporter/collector/findings"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// stateFile is where a target's state is kept. Without a path it keeps none.
type stateFile struct {
	path     string
	target   string
	labels   map[string]string // of the target's own
	url      string            // of the ABS
	keyCheck []byte
	saved    time.Time   // when it was last saved, by whichever process; zero: never
	last     *savedState // as it was last saved, less the ledger's; nil: not known
	adopted  string      // the file of the former name, to be removed once the state is saved
}

// newStateFile returns the state file of a target. keyCheck identifies the token key.
func newStateFile(dir string, t Target, keyCheck []byte) *stateFile {
	f := &stateFile{target: t.Name, labels: maps.Collect(t.Labels.All()), url: t.URL, keyCheck: keyCheck}
	if dir != "" {
		f.path = statePath(dir, t.Name)
	}
	return f
}

// StatePattern matches the names of state files in a state directory.
const StatePattern = "counters-*.state"

// readableName is how much of a target's name its file has in readable form, in bytes: a name may
// have 253 (as hosts), a file's name 255 as a rule, and that of a temporary file is longer.
const readableName = 100

func statePath(dir, target string) string {
	readable := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, target)
	readable = readable[:min(len(readable), readableName)] // ASCII by now
	sum := sha256.Sum256([]byte(target))                   // two names may read alike
	return filepath.Join(dir, "counters-"+readable+"-"+hex.EncodeToString(sum[:4])+".state")
}

// CountingStart returns where the counters of a target began, as its state file in a directory has
// it; the zero value where there is no state of it. The exporter that writes the file may be
// running.
func CountingStart(dir, target string, key tokenid.Key) (start ledger.Start, err error) {
	s, err := newStateFile(dir, Target{Name: target}, key.Check()).load()
	if err != nil || s == nil {
		return start, err
	}
	return s.Ledger.Start, nil
}

// load returns the saved state; nil if nothing was saved yet.
func (f *stateFile) load() (*savedState, error) {
	if f.path == "" {
		return nil, nil //nolint:nilnil // no state is no error
	}
	s, err := readState(f.path)
	switch wrong := (*contentError)(nil); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil //nolint:nilnil // likewise
	case errors.As(err, &wrong):
		return nil, f.unusable(err)
	case err != nil:
		return nil, fmt.Errorf("the state cannot be read: %w", err)
	case s.Target != f.target:
		return nil, fmt.Errorf("state file %s is that of target %q", f.path, s.Target)
	case !bytes.Equal(s.KeyCheck, f.keyCheck):
		return nil, fmt.Errorf("state file %s was made with another token key, so its token ids would not be found again. Set the former --series.token-key-file, or remove the file to begin the counters anew", f.path)
	}
	f.saved = s.Saved
	return s, nil
}

func (f *stateFile) unusable(err error) error {
	return fmt.Errorf("state file %s: %w. Nothing of it was used. Remove it to begin the counters anew at 0, which Prometheus handles as a restart; an older copy of it would make Prometheus count every request since the counters began once more", cmp.Or(f.adopted, f.path), err)
}

// newLedger returns the ledger as the last process left it, or a new one.
func (f *stateFile) newLedger(saved *savedState, config ledger.Config) (*ledger.Ledger, error) {
	if saved == nil {
		return ledger.New(config), nil
	}
	l, err := ledger.Restore(config, saved.Ledger)
	if err != nil {
		return nil, f.unusable(err)
	}
	return l, nil
}

// save saves a state in one step that no crash can halve: once it returns, the state is on the
// disk, name and all. A state that says what the last one said is not written: as a rule, a cycle
// counts nothing after its first commit.
func (f *stateFile) save(now time.Time, l *ledger.Ledger, findingsState func() findings.State) error {
	if f.path == "" {
		return nil
	}
	findings := findingsState()
	if f.last != nil && l.Unchanged() && reflect.DeepEqual(findings, f.last.Findings) {
		return nil
	}
	f.last = nil
	s := f.state(now, l.State(), findings)
	if err := f.write(s); err != nil {
		return err
	}
	s.Ledger = nil // as large as all the rest of the target
	f.last, f.saved = s, now
	if f.adopted != "" {
		_ = os.Remove(f.adopted) // if it stays, it is reported as that of no target
		f.adopted = ""
	}
	return nil
}

func (f *stateFile) state(now time.Time, l *ledger.State, s findings.State) *savedState {
	return &savedState{Target: f.target, Labels: f.labels, URL: f.url, KeyCheck: f.keyCheck, Saved: now, Ledger: l, Findings: s}
}

// sameSeries reports whether the series of another target have the labels that this one's have.
func (f *stateFile) sameSeries(as *stateFile) bool {
	return f.target == as.target && maps.Equal(f.labels, as.labels)
}

func (f *stateFile) write(s *savedState) error {
	b, err := encodeState(s)
	if err != nil {
		return err
	}
	return atomicfile.Write(f.path, b, 0o600)
}
