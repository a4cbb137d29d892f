package reports

import (
	"testing"
	"time"
)

// The header Date has whole seconds, and the answer took time: the skew is as good as that.
func TestClockSkew(t *testing.T) {
	sent := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		took, date        time.Duration // since it was sent
		skew, uncertainty time.Duration
	}{
		{0, 0, 500 * time.Millisecond, 500 * time.Millisecond},
		{time.Second, time.Second, time.Second, time.Second},
		{20 * time.Second, 10 * time.Second, 500 * time.Millisecond, 10500 * time.Millisecond},
		{2 * time.Second, -time.Hour, -time.Hour - 500*time.Millisecond, 1500 * time.Millisecond},
	} {
		c := Clock{Date: sent.Add(tt.date), Sent: sent, Received: sent.Add(tt.took)}
		skew, uncertainty, ok := c.Skew()
		if skew != tt.skew || uncertainty != tt.uncertainty || !ok {
			t.Errorf("took %v, dated %v: skew %v ± %v, want %v ± %v", tt.took, tt.date, skew, uncertainty, tt.skew, tt.uncertainty)
		}
	}
	if _, _, ok := (Clock{Sent: sent, Received: sent}).Skew(); ok {
		t.Error("an answer without a date has a skew")
	}
}

// Rows that were left out because they cannot be read are no reason to request the halves.
func TestTruncated(t *testing.T) {
	for _, tt := range []struct {
		rows, skipped, bytes int64
		want                 bool
	}{
		{90, 0, 90, true},
		{90, 0, 89, false},
		{90, 9, 90, true},
		{90, 10, 90, false},
		{100, 0, 100, false},
	} {
		s := Summary{HasSummary: true, Requests: 100, RowRequests: tt.rows, Bytes: tt.bytes, Oddities: Oddities{Skipped: Skipped{Token: 1, Requests: tt.skipped}}}
		if got := s.Truncated(100); got != tt.want {
			t.Errorf("%+v: %t", tt, got)
		}
	}
}
