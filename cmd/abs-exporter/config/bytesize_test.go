package config

import "testing"

func TestByteSize(t *testing.T) {
	for text, want := range map[string]int64{
		"100MB": 100_000_000, "64KiB": 65536, "64 kb": 64000, "1GB": 1e9, "1GiB": 1 << 30, "1mib": 1 << 20, "7B": 7, "0B": 0,
	} {
		var b ByteSize
		if err := b.UnmarshalText([]byte(text)); err != nil || int64(b) != want {
			t.Errorf("%q: %d, %v, want %d", text, b, err, want)
		}
	}
	for _, text := range []string{"", "100", "MB", "1.5MB", "-1MB", "1TB", "1e3B", "99999999999GB", "1 M B"} {
		var b ByteSize
		if err := b.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read as %d bytes", text, b)
		}
	}
}
