package simulator

import (
	"context"
	"io"
	"testing"
	"time"
)

type counter struct{ n int64 }

func (c *counter) Write(b []byte) (int, error) { c.n += int64(len(b)); return len(b), nil }

func BenchmarkWriteReport(b *testing.B) {
	var c counter
	const tokens = 10_000
	if _, err := WriteReport(&c, 1, tokens); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(c.n)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := WriteReport(io.Discard, 1, tokens); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(c.n)/tokens, "B/token")
}

// BenchmarkWriteTokens is a window of three hours of busy tokens that come and go.
func BenchmarkWriteTokens(b *testing.B) {
	now := time.Date(2026, time.March, 3, 12, 0, 0, 0, time.UTC)
	s := New(Config{
		Tokens: 10_000, TokenLife: time.Hour, Rate: 10, Delay: time.Minute, DelayMax: 2 * time.Hour,
		Now: func() time.Time { return now },
	})
	var c counter
	if err := s.WriteTokens(context.Background(), &c, now.Add(-3*time.Hour), now); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(c.n)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.WriteTokens(context.Background(), io.Discard, now.Add(-3*time.Hour), now); err != nil {
			b.Fatal(err)
		}
	}
}
