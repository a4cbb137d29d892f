package ledger

import (
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
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
		{"one cannot be had", 100, []told{{40, failed, 100}, {50, failed, 100}, {50, 60, 110}, {50, 61, 111}}},
		{"the other one cannot be had", 100, []told{{failed, 60, 100}, {failed, 70, 100}, {40, 70, 110}}},
		{"the first one tells more than there was", 100, []told{{110, failed, 110}, {110, 5, 115}}},
		{"taken back before the cut and given again, in the late half", 100, []told{{40, 20, 100}, {40, 60, 100}, {40, 61, 101}}},
		{"in the early half", 100, []told{{20, 60, 100}, {40, 60, 100}, {41, 60, 101}}},
		{"the late half being read first", 100, []told{{failed, 20, 100}, {40, 20, 100}, {40, 60, 100}, {41, 60, 101}}},
		{"partly in each", 100, []told{{20, 20, 100}, {40, 30, 100}, {50, 51, 101}}},
		{"taken back and given again while the other one cannot be had", 100, []told{{20, failed, 100}, {40, failed, 100}, {40, 60, 100}, {60, 60, 120}, {61, 60, 121}}},
		{"nothing was counted before", 0, []told{{40, failed, 40}, {40, 60, 100}, {20, 60, 100}, {40, 60, 100}, {41, 60, 101}}},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restarts %v", tt.name, restart), func(t *testing.T) {
				w := &world{location: time.UTC, maxTokens: 3}
				l := w.ledger()
				b := &books{last: map[tokenid.ID]int64{}, byToken: map[tokenid.ID]int64{}, listings: map[tokenid.ID]int{}}
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
						for id := range tokenid.ID(4) { // one more than there are places
							add(r, []event{{token: id + 1, method: "GET", api: "shop", device: "LINUX", n: n / 4}})
						}
						add(r, []event{{token: 1, method: "PUT", api: "shop", device: "LINUX", n: n % 4}})
						l.Apply(r, 0)
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
					if err := errors.Join(b.check(), b.checkSlots()); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

// cutSlot is a ledger whose slot of 10:00 was told of once, as a whole, and is to be cut,
// and a function that reads windows, by their beginnings, ten minutes later each time.
func cutSlot(t *testing.T, places int, whole ...event) (l *Ledger, read func(map[string][]event)) {
	t.Helper()
	l = (&world{location: time.UTC, maxTokens: places}).ledger()
	start := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	l.Advance(start)
	now := start.Add(35 * time.Minute)
	read = func(told map[string][]event) {
		now = now.Add(10 * time.Minute)
		l.Advance(now)
		for _, j := range l.Due(now) {
			if rows, ok := told[j.of.From.Format("15:04")]; ok {
				r := l.Begin(j, now)
				add(r, rows)
				l.Apply(r, 0)
			}
		}
	}
	read(map[string][]event{"10:00": whole, "10:30": {of(1, "POST", 1)}})
	now = now.Add(10 * time.Minute)
	for _, j := range l.Due(now) {
		if j.From.Equal(start) {
			l.Failed(j, TooLarge)
		}
	}
	return l, read
}

func of(id tokenid.ID, method string, n int64) event {
	return event{token: id, method: method, api: "shop", device: "LINUX", n: n}
}

func methods(l *Ledger) map[string]int64 {
	counts := map[string]int64{}
	for _, c := range l.total.values {
		if c.id.dimension() == Method {
			counts[l.labels[Method].names[c.id.index()]] = c.Value
		}
	}
	return counts
}

// What a token was counted under the rest while its slot was cut is not counted again
// when it joins.
func TestJoinAfterTheRestWasOwed(t *testing.T) {
	const a, b, c = 1, 2, 3
	l, read := cutSlot(t, 10, of(a, "POST", 10))
	read(map[string][]event{"10:00": {of(a, "POST", 4), of(b, "PUT", 2)}, "10:15": {of(a, "POST", 7)}})
	read(map[string][]event{"10:30": {of(a, "POST", 1), of(b, "PUT", 1)}}) // b is listed
	read(map[string][]event{"10:00": {of(a, "POST", 4), of(b, "PUT", 2)}, "10:15": {of(a, "POST", 7), of(c, "GET", 2)}})
	want := map[string]int64{"POST": 12, "PUT": 3, "GET": 2}
	if got := methods(l); !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

// However the methods of the pieces are told, late ones too, together they are no more
// than the requests.
func TestMethodsOfPiecesStayWithinTheTotal(t *testing.T) {
	late := of(1, "", 5) // five requests without a method
	l, read := cutSlot(t, 10, of(1, "GET", 100))
	read(map[string][]event{"10:00": {of(1, "GET", 35), late}})
	read(map[string][]event{"10:00": {of(1, "GET", 40)}})
	read(map[string][]event{"10:00": {of(1, "GET", 40)}, "10:15": {of(1, "GET", 60)}})
	if got := methods(l)["GET"]; l.Requests() != 101 || got > 100 {
		t.Errorf("counted %d requests, %d with GET", l.Requests(), got)
	}
}

// A slot that tells less than it did is told of, with or without series of tokens.
func TestRegressionsAreTold(t *testing.T) {
	for _, places := range []int{0, 10} {
		l, read := cutSlot(t, places, of(1, "GET", 10))
		read(map[string][]event{"10:00": {of(1, "GET", 4)}, "10:15": {of(1, "GET", 6)}})
		before := l.health.regressions.Value
		read(map[string][]event{"10:00": {of(1, "GET", 3)}, "10:15": {of(1, "GET", 6)}})
		if got := l.health.regressions.Value - before; before != 0 || got != 1 {
			t.Errorf("%d places: %d regressions, and %d of the cut", places, got, before)
		}
	}
}

// In an hour's second pass the running slot waits: the end of its window would be taken for
// that of the first pass. Ended ones do not.
func TestTheSecondPassWaits(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, inclusive := range []bool{false, true} {
		l := (&world{location: berlin, maxTokens: 3}).ledger()
		l.c.Zone.Inclusive = inclusive
		l.Advance(at("2026-10-24T21:00Z"))
		for _, tt := range []struct {
			now   string
			reads bool
		}{
			{"2026-10-24T23:50Z", true},
			{"2026-10-25T00:01Z", true}, // 02:01, for the first time
			{"2026-10-25T00:59Z", true},
			{"2026-10-25T01:01Z", false}, // and again
			{"2026-10-25T01:59Z", false},
			{"2026-10-25T02:01Z", true},
		} {
			now := at(tt.now)
			l.Advance(now)
			running, ended := false, false
			for _, j := range l.Due(now) {
				running, ended = running || j.To.Equal(now), ended || !j.Current
			}
			if running != tt.reads || !ended {
				t.Errorf("inclusive %v, %s: the running slot is read: %v; ended ones: %v", inclusive, tt.now, running, ended)
			}
		}
	}
}
