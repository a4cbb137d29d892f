package abs

import (
	"testing"
	"time"
)

func TestWindowUntil(t *testing.T) {
	kathmandu, err := time.LoadLocation("Asia/Kathmandu") // 5 h 45 min before UTC
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		now      time.Time
		length   time.Duration
		from, to string
	}{
		{time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), 3 * time.Hour, "2026-11-23T06:00:00Z", "2026-11-23T09:00:00Z"},
		{time.Date(2026, 11, 23, 9, 0, 59, 999999999, time.UTC), time.Hour, "2026-11-23T08:00:00Z", "2026-11-23T09:00:00Z"},
		{time.Date(2026, 11, 23, 0, 5, 30, 0, time.UTC), 10 * time.Minute, "2026-11-22T23:55:00Z", "2026-11-23T00:05:00Z"},
		{time.Date(2026, 11, 23, 9, 0, 30, 0, kathmandu), time.Hour, "2026-11-23T08:00:00+05:45", "2026-11-23T09:00:00+05:45"},
		// Never less than the length that was asked for, and always whole minutes.
		{time.Date(2026, 11, 23, 9, 0, 30, 0, time.UTC), 90 * time.Second, "2026-11-23T08:58:00Z", "2026-11-23T09:00:00Z"},
	} {
		w := WindowUntil(test.now, test.length)
		if from, to := w.From.Format(time.RFC3339Nano), w.To.Format(time.RFC3339Nano); from != test.from || to != test.to {
			t.Errorf("%v until %v is %s to %s, want %s to %s", test.length, test.now, from, to, test.from, test.to)
		}
	}
}
