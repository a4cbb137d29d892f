package test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/test/tools"
)

// A series is served as 0 for one full cycle before its first value, so that a Prometheus that
// scrapes once a cycle sees the first increase. Forensics of this ABS lasts for most of a cycle,
// and its findings are published in between.
func TestSeriesAreZeroInitialised(t *testing.T) {
	t.Parallel()
	const interval, slot = 4 * time.Second, 12 * time.Hour
	const key = "the key of the token ids"
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	// All of it is in one slot.
	if left := time.Until(time.Now().Truncate(slot).Add(slot)); left < time.Minute {
		<-time.After(left)
	}
	sim, flags := busyABS(t)
	e := startServe(t, nil, append(flags, "--collect.interval="+interval.String(), "--collect.reread="+interval.String(),
		"--collect.slot="+slot.String(), "--collect.window="+slot.String(),
		"--forensics.rate=8", "--series.token-key-file="+keyFile)...)
	counted(t, e) // the first cycle, which may have been shorter, is over

	// In the slot that has not ended, which alone admits tokens, at any time of day.
	const token = "a token that nobody has seen before"
	at := time.Now().Add(-2 * time.Minute)
	if begin := time.Now().Truncate(slot); at.Before(begin) {
		at = begin
	}
	sim.Add(simulator.Event{At: at, Token: token, N: 7})
	series := fmt.Sprintf(`abs_token_requests_total{target="test",token="%s"}`, tools.TokenID(key, token))
	// It was 0 at most from the last scrape without it on: on a busy machine scrapes are rare.
	var absent, risen time.Time
	zero := false
	until(t, "the token has its count", func() bool {
		asked := time.Now()
		switch n, ok := e.value(t, series); {
		case !ok:
			absent = asked
		case n == 0:
			zero = true
		case n == 7:
			risen = time.Now()
		}
		return !risen.IsZero()
	})
	if !zero || risen.Sub(absent) < interval*7/8 {
		t.Errorf("the series was 0 for %v at most (seen: %t), want %v", risen.Sub(absent), zero, interval)
	}
}
