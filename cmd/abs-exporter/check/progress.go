package check

import (
	"fmt"
	"io"
	"os"
)

// progress is one line on a terminal, written anew with every call. Elsewhere it is nothing.
type progress struct{ w io.Writer }

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	if !ok {
		return &progress{}
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return &progress{}
	}
	return &progress{f}
}

// The line is for people only: that it cannot be written matters to nobody.
func (p *progress) show(target string, call int, what string) {
	if p.w != nil {
		_, _ = fmt.Fprintf(p.w, "\r\x1b[K%s: call %d: %s …", target, call, what)
	}
}

func (p *progress) clear() {
	if p.w != nil {
		_, _ = io.WriteString(p.w, "\r\x1b[K")
	}
}
