package tools

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"
)

// Until calls done until it returns true: what is waited for happens in other processes. It ends
// the test when patience is over.
func Until(tb testing.TB, patience time.Duration, what string, done func() bool) {
	tb.Helper()
	for limit := time.After(patience); !done(); {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-limit:
			tb.Fatalf("%s: not after %v", what, patience)
		}
	}
}

// Start runs a program until the test ends, and returns once the URL ready answers with status 200.
// It returns the file of the program's output, the end of which is logged if the test fails.
func Start(tb testing.TB, patience time.Duration, ready, program string, args ...string) (log string) {
	tb.Helper()
	log, _ = StartProcess(tb, patience, ready, program, args...)
	return log
}

// StartProcess is Start, and returns what kills the program before the test ends.
func StartProcess(tb testing.TB, patience time.Duration, ready, program string, args ...string) (log string, kill func()) {
	tb.Helper()
	log = filepath.Join(tb.TempDir(), "log")
	output, err := os.Create(log)
	if err != nil {
		tb.Fatal(err)
	}
	name := filepath.Base(program)
	cmd := exec.Command(program, args...)
	cmd.Dir = tb.TempDir()
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the reason is in the log
		close(ended)
	}()
	kill = func() {
		_ = cmd.Process.Kill() // it has nothing to lose, or has ended
		<-ended
	}
	tb.Cleanup(func() {
		kill()
		_ = output.Close() // read below, if at all
		if text, err := os.ReadFile(log); tb.Failed() && err == nil {
			tb.Logf("%s:\n%s", name, text[max(0, len(text)-4000):])
		}
	})
	client := &http.Client{Timeout: 10 * time.Second}
	Until(tb, patience, name+" answers", func() bool {
		select {
		case <-ended:
			tb.Fatalf("%s has ended", name)
		default:
		}
		resp, err := client.Get(ready)
		if err != nil {
			return false
		}
		_ = resp.Body.Close() // only the status is needed
		return resp.StatusCode == http.StatusOK
	})
	return log, kill
}

// Get returns the body of a page, and ends the test if there is none.
func Get(tb testing.TB, url string) string {
	tb.Helper()
	client := &http.Client{Timeout: time.Minute}
	resp, err := client.Get(url)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()                                     //nolint:errcheck // only read
	body, err := io.ReadAll(io.LimitReader(resp.Body, 256<<20)) //nolint:forbidigo // limited
	if err != nil || resp.StatusCode != http.StatusOK {
		tb.Fatalf("%s: status %d, %v\n%s", url, resp.StatusCode, err, body)
	}
	return string(body)
}

// Output is what a process writes to one of its streams, to be read while it runs.
type Output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	over    bool
	changed chan struct{} // closed and replaced whenever there is more
}

// NewOutput returns an empty Output.
func NewOutput() *Output { return &Output{changed: make(chan struct{})} }

// Write implements io.Writer.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.notify()
	return o.text.Write(b)
}

// End lets Find know that nothing will follow.
func (o *Output) End() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.over = true
	o.notify()
}

func (o *Output) notify() {
	close(o.changed)
	o.changed = make(chan struct{})
}

// String returns all that was written so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Find waits for a pattern and returns its first group. It ends the test when the process has ended
// without writing it, or patience is over.
func (o *Output) Find(tb testing.TB, patience time.Duration, pattern string) string {
	tb.Helper()
	re, limit := regexp.MustCompile(pattern), time.After(patience)
	for {
		o.mu.Lock()
		found, over, changed := re.FindSubmatch(o.text.Bytes()), o.over, o.changed
		o.mu.Unlock()
		if found != nil {
			return string(found[1])
		}
		if over {
			tb.Fatalf("the process has ended without writing %s", pattern)
		}
		select {
		case <-changed:
		case <-limit:
			tb.Fatalf("the process does not write %s", pattern)
		}
	}
}
