package collector

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// A state file with one wrong bit, or that is cut, is never read: at each byte of its header, and
// at every hundredth of the rest, of three sizes.
func TestDamagedStateIsNeverRead(t *testing.T) {
	long(t)
	for _, tokens := range []int{1, 30, 300} {
		o := defaults()
		o.StateDir, o.MaxTokens = t.TempDir(), tokens
		s := newStory(t, simulator.Config{Seed: 5, Tokens: tokens, Delay: 5 * time.Minute, AttackEvery: 10 * time.Minute}, o, abs.Exclusive)
		s.until(time.Hour)
		state, err := s.state.load()
		if err != nil {
			t.Fatal(err)
		}
		good, err := encodeState(state)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeState(bytes.NewReader(good), int64(len(good))); err != nil {
			t.Fatal(err)
		}
		cases := 0
		refused := func(what string, at int, file []byte, size int) {
			t.Helper()
			cases++
			_, err := decodeState(bytes.NewReader(file), int64(size))
			if content := (*contentError)(nil); err == nil || !errors.As(err, &content) && size == len(file) {
				t.Errorf("%s at byte %d of %d: %v", what, at, len(good), err)
			}
		}
		for at := 0; at < len(good); at++ {
			if at > stateHeader && at%100 != 0 {
				continue
			}
			refused("cut", at, good[:at], at)
			refused("cut while it was read", at, good[:at], len(good))
			for bit := range 8 {
				flipped := slices.Clone(good)
				flipped[at] ^= 1 << bit
				refused("one bit is wrong", at, flipped, len(flipped))
			}
		}
		refused("longer", len(good), append(slices.Clone(good), 0), len(good)+1)
		t.Logf("%d tokens, %d bytes: %d cases", tokens, len(good), cases)
	}
}
