package check

import (
	"os"
	"strings"
	"testing"
)

// On a terminal there is one line, which is removed at the end; a file gets nothing.
func TestProgress(t *testing.T) {
	var b strings.Builder
	p := &progress{&b}
	p.show("production", 7, "a report of 1h")
	p.clear()
	if want := "\r\x1b[Kproduction: call 7: a report of 1h …\r\x1b[K"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if newProgress(f).w != nil || newProgress(&b).w != nil {
		t.Error("what is no terminal gets progress")
	}
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("there is no terminal here: ", err)
	}
	defer terminal.Close()
	if newProgress(terminal).w == nil {
		t.Error("a terminal gets no progress")
	}
}
