package collector

import (
	"testing"
	"time"
)

func TestWait(t *testing.T) {
	const interval = 2 * time.Minute
	grid := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name       string
		began, now time.Duration // after the grid's instant
		want       time.Duration
	}{
		{"a short cycle", 0, 5 * time.Second, 115 * time.Second},
		{"begun off the grid, as at a start", 30 * time.Second, 40 * time.Second, 80 * time.Second},
		{"it ends as the next begins", 0, interval, 0},
		{"forensics was cut a moment late", 0, interval + time.Second, 0},
		{"it covers the next", 0, interval + time.Minute, time.Minute},
		{"it covers two", 0, 2*interval + 10*time.Second, 110 * time.Second},
	} {
		if got := wait(grid.Add(tt.began), grid.Add(tt.now), interval); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
