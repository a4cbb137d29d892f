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

// Error implements error. The text of a panic is shown if the runtime wrote it. The value of any
// other may be made of a report, with a token in it: Stack says where it was raised.
func (p *Panic) Error() string {
	if err, ok := p.Value.(runtime.Error); ok { // a value that wraps one has a text of its own
		return "panic: " + err.Error()
	}
	return fmt.Sprintf("panic: a %T, which is not shown since it may hold a token", p.Value)
}
