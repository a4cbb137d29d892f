package findings

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// The runtime's own panics are shown as they are; of any other value, which may be made of a
// report, only the type.
func TestPanicText(t *testing.T) {
	const token = "eyJhbGciOiJSUzI1NiJ9"
	var none []int
	var value any = token
	for want, do := range map[string]func(){
		"panic: runtime error: index out of range [3] with length 0":                 func() { none[len(token)/6]++ },
		"panic: interface conversion: interface {} is string, not int":               func() { _ = value.(int) },
		"panic: a string, which is not shown since it may hold a token":              func() { panic(token) },
		"panic: a *errors.errorString, which is not shown since it may hold a token": func() { panic(errors.New(token)) },
		"panic: a *fmt.wrapError, which is not shown since it may hold a token":      func() { panic(fmt.Errorf("%w "+token, errors.ErrUnsupported)) },
		"panic: a map[string]int, which is not shown since it may hold a token":      func() { panic(map[string]int{token: 1}) },
	} {
		func() {
			defer func() {
				p := Recovered(recover())
				if got := p.Error(); got != want || strings.Contains(p.Stack, token) || !strings.Contains(p.Stack, "panic_test.go:") {
					t.Errorf("%s, want %s; stack %s", got, want, p.Stack)
				}
			}()
			do()
		}()
	}
}
