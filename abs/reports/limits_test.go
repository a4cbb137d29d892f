package reports

import (
	"bytes"
	"runtime"
	"testing"
	"time"
)

// Limits that do not depend on how fast the machine is: the reader allocates for a report, and
// nothing for a row.
const (
	limitReportAllocs = 20   // for the texts before the rows, and for testing itself
	limitReportBytes  = 4096 // likewise
)

func TestReaderLimits(t *testing.T) {
	r := newTestReader()
	for _, tokens := range []int{10, 3000} {
		body := generateTokens(tokens, 1)
		read := func() {
			sum, err := r.readTokens(bytes.NewReader(body), 0, time.UTC, func(*Row) error { return nil })
			if err != nil || sum.Rows != int64(tokens) {
				t.Fatal(sum.Rows, err)
			}
		}
		read() // the buffers grow to the largest row once
		if got := testing.AllocsPerRun(5, read); got > limitReportAllocs {
			t.Errorf("a report of %d tokens allocates %v times, want at most %d", tokens, got, limitReportAllocs)
		}
		if got := allocated(read); got > limitReportBytes {
			t.Errorf("a report of %d tokens allocates %d bytes, want at most %d", tokens, got, limitReportBytes)
		}
	}
}

// A reader keeps only its buffers between reports, however large the report was.
func TestReaderKeeps(t *testing.T) {
	const limit = 256 << 10
	r := newTestReader()
	body := generateTokens(5000, 2)
	if _, err := r.readTokens(bytes.NewReader(body), 0, time.UTC, func(*Row) error { return nil }); err != nil {
		t.Fatal(err)
	}
	r.release()
	w := &r.current
	counts := cap(w.IPs) + cap(w.Methods) + cap(w.APIs) + cap(w.Devices)
	if kept := r.Kept() + cap(r.arena) + 32*counts; kept > limit {
		t.Errorf("the reader keeps %d bytes, want at most %d", kept, limit)
	}
}

// allocated returns how many bytes f allocates, the minimum of some runs: another goroutine of the
// test binary may allocate meanwhile.
func allocated(f func()) uint64 {
	least := ^uint64(0)
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}
