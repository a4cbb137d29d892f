package zonesearch

import (
	"context"
	"testing"
	"time"
)

// Newest finds the newest quarter of an hour with requests, wherever it is, also where ABS refuses
// windows in the future, in few calls.
func TestNewest(t *testing.T) {
	from := time.Date(2026, time.November, 25, 10, 0, 0, 0, time.UTC)
	to := from.Add(14 * time.Hour)
	for minute := range int(to.Sub(from) / time.Minute) {
		for _, refuses := range []bool{false, true} {
			last := from.Add(time.Duration(minute) * time.Minute) // the newest minute with requests
			calls := 0
			found, err := Newest(t.Context(), func(_ context.Context, a, b time.Time) (bool, error) {
				calls++
				if refuses && b.After(last.Add(20*time.Minute)) {
					return false, ErrWindowRefused
				}
				return !a.After(last), nil
			}, from, to, Quarter)
			if err != nil || found.After(last) || last.Sub(found) >= Quarter {
				t.Fatalf("the newest minute is %v, refusing %v: found %v, %v", last, refuses, found, err)
			}
			if calls > 16 {
				t.Fatalf("the newest minute is %v, refusing %v: %d calls", last, refuses, calls)
			}
		}
	}
	none, err := Newest(t.Context(), func(context.Context, time.Time, time.Time) (bool, error) { return false, nil }, from, to, Quarter)
	if err != nil || !none.IsZero() {
		t.Errorf("without requests: %v, %v", none, err)
	}
}

func TestLeastOffset(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{0, "+00:00"},
		{time.Minute, "+01:00"},
		{5 * time.Hour, "+05:00"},
		{5*time.Hour + time.Minute, "+05:30"},
		{-20 * time.Hour, "-11:00"},
		{-3*time.Hour - time.Minute, "-03:00"},
		{20 * time.Hour, "+14:00"},
	} {
		if got := OffsetText(LeastOffset(c.d)); got != c.want {
			t.Errorf("%v: %s, want %s", c.d, got, c.want)
		}
	}
}
