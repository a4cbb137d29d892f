package logging

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// reader is whoever reads the log, or does not.
type reader struct {
	mu      sync.Mutex
	read    strings.Builder
	err     error         // of each write
	blocked chan struct{} // closed: reads on; nil: reads
}

func (r *reader) Write(p []byte) (int, error) {
	if r.blocked != nil {
		<-r.blocked
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return 0, r.err
	}
	return r.read.Write(p)
}

func (r *reader) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read.String()
}

func TestLogIsWrittenInOrder(t *testing.T) {
	r := &reader{}
	w := NewWriter(r)
	want := strings.Builder{}
	for i := range 1000 {
		line := fmt.Sprintln("line", i)
		want.WriteString(line)
		_, _ = w.Write([]byte(line))
	}
	w.Close()
	if r.text() != want.String() {
		t.Errorf("%d of %d bytes, or in another order", r.read.Len(), want.Len())
	}
	if n := w.DroppedLines(); n != 0 {
		t.Errorf("%v lines dropped", n)
	}
}

// Nobody reads: writing goes on at once, lines past a megabyte are dropped and counted, and the end
// is not kept waiting. Once somebody reads again, the log says how many lines it lacks.
func TestLogThatNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reader{blocked: make(chan struct{})}
		w := NewWriter(r)
		log := slog.New(slog.NewTextHandler(w, nil))
		w.OnResume(func(n int64) { log.Warn("log lines dropped", "lines", n) })
		line := []byte(strings.Repeat("x", 1023) + "\n")
		const lines = 3000
		begun := time.Now()
		for range lines {
			_, _ = w.Write(line)
		}
		kept := maxQueued / len(line)
		if n := w.DroppedLines(); n != float64(lines-kept) || time.Since(begun) > 0 {
			t.Errorf("%v lines dropped after %v, want %d at once", n, time.Since(begun), lines-kept)
		}
		close(r.blocked)
		synctest.Wait()
		if n := strings.Count(r.text(), string(line)); n != kept {
			t.Errorf("%d lines read, want %d", n, kept)
		}
		if want := fmt.Sprintf(`level=WARN msg="log lines dropped" lines=%d`, lines-kept); strings.Count(r.text(), want) != 1 {
			t.Errorf("the log does not say once: %s", want)
		}
		_, _ = w.Write([]byte("and on\n"))
		w.Close()
		if !strings.HasSuffix(r.text(), "and on\n") {
			t.Error("the log does not go on")
		}
	})
}

// On a busy machine the writer may not be scheduled for a while. That is no reader that does not
// read: the last line is the one that says why the process ends.
func TestLogOfALateWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reader{err: errors.New("not yet")}
		w := NewWriter(r)
		w.OnResume(func(int64) { time.Sleep(2 * time.Second) }) // as if it was not scheduled
		_, _ = w.Write([]byte("lost\n"))
		synctest.Wait()
		r.err = nil
		_, _ = w.Write([]byte("written\n"))
		_, _ = w.Write([]byte("the last line\n"))
		w.Close()
		if want := "written\nthe last line\n"; r.text() != want {
			t.Errorf("read %q, want %q", r.text(), want)
		}
	})
}

func TestLogThatCannotBeWritten(t *testing.T) {
	r := &reader{err: errors.New("broken pipe")}
	w := NewWriter(r)
	for range 5 {
		_, _ = w.Write([]byte("line\n"))
	}
	w.Close()
	if n := w.DroppedLines(); n != 5 {
		t.Errorf("%v lines dropped, want 5", n)
	}
}

// failsOnce fails the first write.
type failsOnce struct{ failed bool }

func (f *failsOnce) Write(p []byte) (int, error) {
	if !f.failed {
		f.failed = true
		return 0, errors.New("broken pipe")
	}
	return len(p), nil
}

// What is logged of dropped lines may be set at any time. The race detector watches.
func TestOnResumeWhileLinesAreWritten(t *testing.T) {
	for range 1000 {
		w := NewWriter(&failsOnce{})
		_, _ = w.Write([]byte("lost\n"))
		_, _ = w.Write([]byte("written\n"))
		time.Sleep(time.Microsecond)
		w.OnResume(func(int64) {})
		w.Close()
		if n := w.DroppedLines(); n != 1 {
			t.Fatalf("%v lines dropped, want 1", n)
		}
	}
}

// The end waits for who does not read for a second, and for who reads slowly for three.
func TestEndDoesNotWaitForAReader(t *testing.T) {
	for _, tt := range []struct{ perLine, want time.Duration }{{time.Hour, stuckTime}, {600 * time.Millisecond, flushTime}, {0, 0}} {
		synctest.Test(t, func(t *testing.T) {
			w := NewWriter(slowReader(tt.perLine))
			for range 10 {
				_, _ = w.Write([]byte("line\n"))
			}
			begun := time.Now()
			w.Close()
			if took := time.Since(begun); took != tt.want {
				t.Errorf("%v a line: it waited for %v, want %v", tt.perLine, took, tt.want)
			}
			<-w.ended
		})
	}
}

// slowReader is what reading a line takes.
type slowReader time.Duration

func (s slowReader) Write(p []byte) (int, error) {
	time.Sleep(time.Duration(s))
	return len(p), nil
}
