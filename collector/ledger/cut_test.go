package ledger

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// What is told of the halves of a slot that was counted as a whole: the total after each
// reading. -1 is a reading that fails.
func TestHalvesShareWhatWasCounted(t *testing.T) {
	const failed = -1
	type told struct{ early, late, counted int64 }
	for _, tt := range []struct {
		name     string
		whole    int64
		readings []told
	}{
		{"as before", 100, []told{{40, 60, 100}}},
		{"they tell more", 100, []told{{45, 70, 115}}},
		{"one cannot be had", 100, []told{{40, failed, 100}, {50, failed, 110}, {50, 60, 110}, {50, 61, 111}}},
		{"the other one cannot be had", 100, []told{{failed, 60, 100}, {failed, 70, 110}, {40, 70, 110}}},
		{"the first one tells more than there was", 100, []told{{110, failed, 110}, {110, 5, 115}}},
		{"taken back before the cut and given again, in the late half", 100, []told{{40, 20, 100}, {40, 60, 100}, {40, 61, 101}}},
		{"in the early half", 100, []told{{20, 60, 100}, {40, 60, 100}, {41, 60, 101}}},
		{"the late half being read first", 100, []told{{failed, 20, 100}, {40, 20, 100}, {40, 60, 100}, {41, 60, 101}}},
		{"partly in each", 100, []told{{20, 20, 100}, {40, 30, 100}, {50, 51, 101}}},
		{"nothing was counted before", 0, []told{{40, failed, 40}, {40, 60, 100}, {20, 60, 100}, {40, 60, 100}, {41, 60, 101}}},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restarts %v", tt.name, restart), func(t *testing.T) {
				w := &world{location: time.UTC, maxTokens: 3}
				l := w.ledger()
				b := &books{last: map[TokenID]int64{}, byToken: map[TokenID]int64{}, listings: map[TokenID]int{}}
				start := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
				l.Advance(start)
				now := start.Add(time.Minute)
				l.Advance(now)
				slotEnd := start.Add(30 * time.Minute)
				read := func(tell func(Span) int64) {
					now = now.Add(10 * time.Minute)
					for _, j := range l.Due(now) {
						if j.From.Before(start) || !j.From.Before(slotEnd) {
							continue
						}
						n := tell(j.Span)
						if n == failed {
							l.Failed(j, Unavailable)
							continue
						}
						r := l.Begin(j, now)
						for id := range TokenID(4) { // one more than there are places
							add(r, []event{{token: id + 1, method: "GET", api: "shop", device: "LINUX", n: n / 4}})
						}
						add(r, []event{{token: 1, method: "PUT", api: "shop", device: "LINUX", n: n % 4}})
						r.Apply(0)
					}
					if restart {
						var err error
						if l, err = Restore(l.c, l.State()); err != nil {
							t.Fatal(err)
						}
					}
				}
				now = slotEnd
				if tt.whole > 0 {
					read(func(Span) int64 { return tt.whole })
				}
				now = now.Add(10 * time.Minute)
				for _, j := range l.Due(now) {
					if j.From.Equal(start) {
						l.Failed(j, TooLarge)
					}
				}
				for i, tell := range tt.readings {
					read(func(s Span) int64 {
						if s.To.Equal(slotEnd) {
							return tell.late
						}
						return tell.early
					})
					if got := l.Requests(); got != tell.counted {
						t.Errorf("reading %d (%d and %d): counted %d, want %d", i+1, tell.early, tell.late, got, tell.counted)
					}
					b.l = l
					if err := errors.Join(b.check(), b.checkParts()); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}
