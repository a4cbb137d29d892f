package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/collector/backfill"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// counting runs serve until its state says where counting began.
func counting(t *testing.T, dir string, flags ...string) (start ledger.Start) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, append([]string{"serve", "--web.listen-address=127.0.0.1:0", "--state.dir=" + dir}, flags...), io.Discard, io.Discard)
	}()
	for limit := time.Now().Add(patience); start.From.IsZero() && time.Now().Before(limit); time.Sleep(10 * time.Millisecond) {
		var err error
		if start, err = collector.CountingStart(dir, "test", tokenid.Key(tokenIDKey)); err != nil {
			t.Error(err)
			break
		}
	}
	cancel()
	if status := <-ended; status != 0 || start.From.IsZero() {
		t.Fatalf("serve ended with status %d, and its state with %v", status, start)
	}
	return start
}

// The history ends where the state says that the live counters begin, and nowhere after it.
func TestBackfillEndsWhereTheStateBegins(t *testing.T) {
	_, flags := startABS(t, simulator.Config{Seed: 1, Tokens: 5, Rate: 60, Immediate: true})
	t.Chdir(t.TempDir())
	dir := filepath.Join(t.TempDir(), "state")
	begun := time.Now()
	start := counting(t, dir, append(flags, "--collect.lookback=3h")...)
	if start.From.Before(begun.Add(-3*time.Hour-2*time.Minute)) || start.From.After(time.Now().Add(-3*time.Hour)) {
		t.Errorf("counting begins at %v, and the look-back of three hours began at %v", start.From, begun)
	}
	write := func(args ...string) (status int, out, stderr string) {
		var stdout, errs bytes.Buffer
		all := append([]string{"backfill", "--from=" + start.From.Add(-2*time.Hour).Format(time.RFC3339), "--state.dir=" + dir, "--abs.rate=1000"}, flags...)
		status = run(t.Context(), append(all, args...), &stdout, &errs)
		return status, stdout.String(), errs.String()
	}
	status, out, stderr := write("--output=-", "--label=job=abs", "--label=instance=here")
	last := regexp.MustCompile(`abs_requests_total\{job="abs",instance="here",target="test"\} [0-9]+ ([0-9]+)\n# HELP`).FindStringSubmatch(out)
	if status != 0 || last == nil || last[1] != strconv.FormatInt(start.From.Unix(), 10) {
		t.Errorf("status %d: %v, want an end at %d\n%s", status, last, start.From.Unix(), stderr)
	}
	if strings.Contains(stderr, "doubtful setting") {
		t.Errorf("a needless warning: %s", stderr)
	}
	status, _, stderr = write("--to=" + start.From.Add(time.Minute).Format(time.RFC3339))
	if status != 2 || !strings.Contains(stderr, "error: --to: ") || !strings.Contains(stderr, "those in between would be counted twice") {
		t.Errorf("an end after it: status %d\n%s", status, stderr)
	}
	if status, _, stderr = write("--to=" + start.From.Add(-time.Hour).Format(time.RFC3339)); status != 0 || !strings.Contains(stderr, "the requests in between are in neither") {
		t.Errorf("an end before it: status %d\n%s", status, stderr)
	}
	if info, err := os.Stat("abs-history.om"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the default output: %v, %v", info, err)
	}
	other := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(other, []byte("another key of 16 bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr = write("--series.token-key-file=" + other); status != 2 || !strings.Contains(stderr, "another token key") {
		t.Errorf("another key: status %d\n%s", status, stderr)
	}
}

// ticking is a clock that is moved by hand.
type ticking struct {
	collector.SystemClock
	now time.Time
}

func (c *ticking) Now() time.Time { return c.now }

// On a terminal there is one line that changes, and lines of the log go above it. Elsewhere the log
// has a line each minute.
func TestProgress(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for _, bar := range []bool{true, false} {
		var out bytes.Buffer
		clock := &ticking{now: at}
		p := newProgressWatch(&out, clock)
		p.bar = bar
		p.log = slog.New(slog.NewTextHandler(p, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
		for n := range 5 {
			p.show(backfill.Progress{Target: "test", Share: 0.2 + 0.1*float64(n), At: at.Add(time.Duration(n) * time.Hour), Requests: int64(1000 * n)})
			if n == 3 {
				p.log.Warn("report failed")
			}
			clock.now = clock.now.Add(30 * time.Second)
		}
		p.clear()
		line := func(text string) string { return text + "\r" + strings.Repeat(" ", len(text)) + "\r" }
		want := line("[#########.....................]  30%  test  2026-11-23 10:00  1000 requests  3m30s left") +
			line("[############..................]  40%  test  2026-11-23 11:00  2000 requests  3m0s left") +
			line("[###############...............]  50%  test  2026-11-23 12:00  3000 requests  2m30s left") +
			"level=WARN msg=\"report failed\"\n" +
			line("[##################............]  60%  test  2026-11-23 13:00  4000 requests  2m0s left")
		if !bar {
			want = "level=INFO msg=\"history is read\" target=test percent=40 at=2026-11-23T11:00:00.000Z requests=2000 left=3m0s\n" +
				"level=WARN msg=\"report failed\"\n" +
				"level=INFO msg=\"history is read\" target=test percent=60 at=2026-11-23T13:00:00.000Z requests=4000 left=2m0s\n"
		}
		if got := out.String(); got != want {
			t.Errorf("bar %t:\n%q\nwant\n%q", bar, got, want)
		}
	}
	if isTerminal(&bytes.Buffer{}) {
		t.Error("a buffer is taken for a terminal")
	}
}
