package collector

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// FuzzState passes bytes to a start as a state file whose checksum holds: it is refused as a whole,
// or the target goes on from it. Nothing panics, hangs or takes unbounded memory.
func FuzzState(f *testing.F) {
	o := defaults()
	o.StateDir, o.MaxTokens = f.TempDir(), 6
	s := newStory(f, simulator.Config{Seed: 3, Tokens: 4, Delay: 5 * time.Minute, AttackEvery: 10 * time.Minute}, o, abs.Exclusive)
	s.until(90 * time.Minute)
	good, err := s.state.load()
	if err != nil {
		f.Fatal(err)
	}
	now := s.clock.Now()
	for _, part := range []func(*savedState){
		func(*savedState) {},
		func(s *savedState) { s.Ledger.Slots = s.Ledger.Slots[:1] },
		func(s *savedState) { s.Labels = map[string]string{"env": "prod"} },
		func(s *savedState) { s.Saved = time.Time{} },
	} {
		part(good)
		var payload bytes.Buffer
		if err := gob.NewEncoder(&payload).Encode(good); err != nil {
			f.Fatal(err)
		}
		f.Add(payload.Bytes())
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		file := make([]byte, stateHeader, stateHeader+len(payload))
		n := copy(file, stateMagic)
		binary.BigEndian.PutUint32(file[n:], stateVersion)
		binary.BigEndian.PutUint64(file[n+4:], uint64(len(payload)))
		sum := sha256.Sum256(payload)
		copy(file[n+12:], sum[:])
		file = append(file, payload...)
		defer time.AfterFunc(20*time.Second, func() { panic("it hangs") }).Stop()
		before := allocated()
		state, err := decodeState(bytes.NewReader(file), int64(len(file)))
		if got := allocated() - before; got > 64<<20 {
			t.Fatalf("%d bytes allocate %d MB", len(payload), got>>20)
		}
		if content := (*contentError)(nil); err != nil && !errors.As(err, &content) {
			t.Fatalf("an error of a kind that should not be: %v", err)
		}
		if err == nil {
			state.Target, state.KeyCheck = good.Target, good.KeyCheck // what is checked before
			if err := s.state.write(state); err != nil {
				t.Fatal(err)
			}
			s.clock.set(now)
			if r, err := newRig(s.o, time.UTC, s.end, 0, s.clock, s.sim.Transport(), s.as...); err == nil {
				r.cycle(now.Add(2 * time.Minute))
			}
		}
	})
}
