package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// byteSize is a number of bytes, written as 100MB or 64KiB. ABS says its
// response_size in MB and not which: decimal is the smaller, so the safer one.
type byteSize int64

// UnmarshalText implements encoding.TextUnmarshaler: a whole number and a unit, B,
// kB, MB, GB (powers of 1000) or KiB, MiB, GiB (powers of 1024), in any case.
func (b *byteSize) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	factor, known := byteUnit(strings.ToLower(strings.TrimSpace(s[len(digits):])))
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !known {
		return fmt.Errorf("expected a size such as 100MB or 64KiB but got %q", s)
	}
	if n < 0 || n > math.MaxInt64/factor {
		return fmt.Errorf("%q is out of range", s)
	}
	*b = byteSize(n * factor)
	return nil
}

func byteUnit(unit string) (factor int64, known bool) {
	switch unit {
	case "b":
		return 1, true
	case "kb":
		return 1e3, true
	case "mb":
		return 1e6, true
	case "gb":
		return 1e9, true
	case "kib":
		return 1 << 10, true
	case "mib":
		return 1 << 20, true
	case "gib":
		return 1 << 30, true
	}
	return 1, false
}
