package findings

import (
	"fmt"
	"path"
	"runtime"
	"strings"
)

// Panic is a panic of a target's loop, or of a call that it waits for: that of a call passes
// through the loop, as it would end the process where it happens.
type Panic struct {
	Value any
	Stack string // innermost call first
}

// maxFrames is how many calls a Stack has.
const maxFrames = 16

// Recovered returns what recover returned as a Panic, nil for nil. Only the function that is
// deferred may call it.
func Recovered(v any) *Panic {
	switch p := v.(type) {
	case nil:
		return nil
	case *Panic:
		return p
	}
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs[:])])
	var calls []string
	for more := true; more && len(calls) < maxFrames; {
		var f runtime.Frame
		f, more = frames.Next()
		if f.Function == "runtime.gopanic" {
			calls = calls[:0] // what was called before recovers
		} else if f.Function != "" {
			calls = append(calls, fmt.Sprintf("%s (%s:%d)", path.Base(f.Function), path.Base(f.File), f.Line))
		}
	}
	return &Panic{v, strings.Join(calls, " < ")}
}

// maxPanicText is how much of a panic's value is shown, in bytes.
const maxPanicText = 512

// Error implements error.
func (p *Panic) Error() string {
	text := fmt.Sprint(p.Value)
	return "panic: " + strings.ToValidUTF8(text[:min(len(text), maxPanicText)], "")
}
