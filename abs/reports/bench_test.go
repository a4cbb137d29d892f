package reports

import (
	"bytes"
	"testing"
	"time"
)

func BenchmarkReadTokens(b *testing.B) {
	const tokens = 10_000
	body := generateTokens(tokens, 1)
	r := newTestReader()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		sum, err := r.readTokens(bytes.NewReader(body), 0, time.UTC, func(*Row) error { return nil })
		if err != nil || sum.Rows != tokens {
			b.Fatal(sum.Rows, err)
		}
	}
}

func newTestReader() *reportReader { return newReportReader() }
