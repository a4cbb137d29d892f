package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ByteSize is a number of bytes, written as 100MB or 64KiB. The pages of ABS do not say which MB its
// response_size is in: decimal is the smaller, so the safer one.
type ByteSize int64

// UnmarshalText implements encoding.TextUnmarshaler: a whole number and a unit, B, kB, MB, GB
// (powers of 1000) or KiB, MiB, GiB (powers of 1024), in any case.
func (b *ByteSize) UnmarshalText(text []byte) error {
	units := map[string]int64{"b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
	s := strings.TrimSpace(string(text))
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	unit, known := units[strings.ToLower(strings.TrimSpace(s[len(digits):]))]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !known {
		return fmt.Errorf("expected a size such as 100MB or 64KiB but got %q", s)
	}
	if n < 0 || n > math.MaxInt64/unit {
		return fmt.Errorf("%q is out of range", s)
	}
	*b = ByteSize(n * unit)
	return nil
}
