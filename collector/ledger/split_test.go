package ledger

import (
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// splitSlot is a ledger whose slot of 10:00 was read once as a whole and is split in halves.
type splitSlot struct {
	l   *Ledger
	now time.Time
}

func newSplitSlot(t *testing.T, maxTokens int, whole ...event) *splitSlot {
	t.Helper()
	start := at("2026-11-23T10:00Z")
	s := &splitSlot{l: (&world{location: time.UTC, maxTokens: maxTokens}).ledger(), now: start}
	s.l.Advance(start, 0)
	s.now = start.Add(35 * time.Minute)
	s.l.Advance(s.now, 10*time.Minute)
	if whole != nil {
		s.read(map[string][]event{"10:00": whole})
	}
	s.now = s.now.Add(10 * time.Minute)
	for _, j := range s.l.Due(s.now) {
		if j.From.Equal(start) {
			s.l.Failed(j, TooLarge)
		}
	}
	return s
}

// read reads the spans that begin at the given times, ten minutes after the reading before.
func (s *splitSlot) read(reported map[string][]event) {
	s.now = s.now.Add(10 * time.Minute)
	s.l.Advance(s.now, 10*time.Minute)
	for _, j := range s.l.Due(s.now) {
		if rows, ok := reported[j.From.Format("15:04")]; ok {
			r := s.l.Begin(j, s.now)
			add(r, rows)
			s.l.Apply(r, 0)
		}
	}
}

func of(id tokenid.ID, method string, n int64) event {
	return event{token: id, method: method, api: "shop", device: "LINUX", n: n}
}

func (s *splitSlot) methods() map[string]int64 {
	byMethod := map[string]int64{}
	for _, v := range s.l.total.Values {
		if v.ID.Dimension() == counts.Method {
			byMethod[s.l.labels.Name(v.ID)] = v.Value
		}
	}
	return byMethod
}

// step is what the halves of a slot report, unread where that fails, and the total that is counted
// then.
type step struct{ early, late, counted int64 }

const unread = -1

// A slot that is split after it was counted as a whole.
func TestSplitSlotIsCountedAsAWhole(t *testing.T) {
	for _, tt := range []struct {
		name  string
		whole int64
		steps []step
	}{
		{"as before", 100, []step{{40, 60, 100}}},
		{"they report more", 100, []step{{45, 70, 115}}},
		{"the late one cannot be read", 100, []step{{40, unread, 100}, {50, unread, 100}, {50, 60, 110}, {50, 61, 111}}},
		{"the early one cannot be read", 100, []step{{unread, 60, 100}, {unread, 70, 100}, {40, 70, 110}}},
		{"the first one reports more than there was", 100, []step{{110, unread, 110}, {110, 5, 115}}},
		{"taken back before the split and reported again, in the late half", 100, []step{{40, 20, 100}, {40, 60, 100}, {40, 61, 101}}},
		{"in the early half", 100, []step{{20, 60, 100}, {40, 60, 100}, {41, 60, 101}}},
		{"the late half being read first", 100, []step{{unread, 20, 100}, {40, 20, 100}, {40, 60, 100}, {41, 60, 101}}},
		{"partly in each", 100, []step{{20, 20, 100}, {40, 30, 100}, {50, 51, 101}}},
		{"taken back and reported again while the late one cannot be read", 100, []step{{20, unread, 100}, {40, unread, 100}, {40, 60, 100}, {60, 60, 120}, {61, 60, 121}}},
		{"nothing was counted before", 0, []step{{40, unread, 40}, {40, 60, 100}, {20, 60, 100}, {40, 60, 100}, {41, 60, 101}}},
	} {
		for _, restarts := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restarts %v", tt.name, restarts), func(t *testing.T) { readHalves(t, tt.whole, tt.steps, restarts) })
		}
	}
}

func readHalves(t *testing.T, whole int64, steps []step, restarts bool) {
	rows := func(n int64) (rows []event) {
		for id := range tokenid.ID(4) { // one more than can be tracked
			rows = append(rows, of(id+1, "GET", n/4))
		}
		return append(rows, of(1, "PUT", n%4))
	}
	var before []event
	if whole > 0 {
		before = rows(whole)
	}
	s := newSplitSlot(t, 3, before...)
	b := &books{last: map[tokenid.ID]int64{}, byToken: map[tokenid.ID]int64{}}
	for i, step := range steps {
		reported := map[string][]event{}
		for from, n := range map[string]int64{"10:00": step.early, "10:15": step.late} {
			if n != unread {
				reported[from] = rows(n)
			}
		}
		s.read(reported)
		if restarts {
			var err error
			if s.l, err = Restore(s.l.c, s.l.State()); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.l.Requests(); got != step.counted {
			t.Errorf("reading %d (%d and %d): counted %d, want %d", i+1, step.early, step.late, got, step.counted)
		}
		b.l = s.l
		if err := errors.Join(b.check(), b.checkSlots()); err != nil {
			t.Error(err)
		}
	}
}

// What was counted of a token under other, before and after a split, is not counted again when it
// joins.
func TestJoinAfterSplit(t *testing.T) {
	const a, b, c = 1, 2, 3
	s := newSplitSlot(t, 10, of(a, "POST", 10))
	s.read(map[string][]event{"10:30": {of(a, "POST", 1)}})
	s.read(map[string][]event{"10:00": {of(a, "POST", 4), of(b, "PUT", 2)}, "10:15": {of(a, "POST", 7)}})
	s.read(map[string][]event{"10:30": {of(a, "POST", 1), of(b, "PUT", 1)}}) // b is tracked now
	s.read(map[string][]event{"10:00": {of(a, "POST", 4), of(b, "PUT", 2)}, "10:15": {of(a, "POST", 7), of(c, "GET", 2)}})
	want := map[string]int64{"POST": 12, "PUT": 3, "GET": 2}
	if got := s.methods(); !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

// A token joins each span of a split slot by itself: what a span that was not read since reports of
// it is still under other, and no gain of others may pass for it.
func TestJoinSpanBySpan(t *testing.T) {
	const a, b = 1, 2
	s := newSplitSlot(t, 1, of(a, "POST", 10))
	s.l.c.Dimensions = []counts.Dimension{counts.Method}
	s.read(map[string][]event{"10:00": {of(a, "POST", 4), of(b, "PUT", 5)}, "10:15": {of(a, "POST", 6), of(b, "PUT", 7)}})
	s.l.leave(s.l.tracked.index[a])
	s.read(map[string][]event{"10:30": {of(b, "PUT", 1)}}) // b is tracked now
	s.read(map[string][]event{"10:00": {of(a, "POST", 4), of(b, "PUT", 5)}})
	s.read(map[string][]event{"10:00": {of(a, "POST", 9), of(b, "PUT", 5)}})
	s.read(map[string][]event{"10:15": {of(a, "POST", 6), of(b, "PUT", 8)}})
	if got := s.l.tracked.counters[s.l.tracked.index[b]].Total.Value; got != 1 {
		t.Errorf("b was counted %d since it is tracked, want 1", got)
	}
	want := map[string]int64{"POST": 15, "PUT": 14}
	if got := s.methods(); !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

// However late the methods of requests are reported, in whichever half, they are together no more
// than the requests.
func TestMethodsOfHalvesStayWithinTheTotal(t *testing.T) {
	late := of(1, "", 5) // five requests without a method
	s := newSplitSlot(t, 10, of(1, "GET", 100))
	s.read(map[string][]event{"10:00": {of(1, "GET", 35), late}})
	s.read(map[string][]event{"10:00": {of(1, "GET", 40)}})
	s.read(map[string][]event{"10:00": {of(1, "GET", 40)}, "10:15": {of(1, "GET", 60)}})
	if got := s.methods()["GET"]; s.l.Requests() != 100 || got > 100 {
		t.Errorf("counted %d requests, %d with GET", s.l.Requests(), got)
	}
}

// A span that reports less than it did is counted as a regression, with or without series of
// tokens; an unread half is none.
func TestRegressionsOfHalves(t *testing.T) {
	for _, maxTokens := range []int{0, 10} {
		s := newSplitSlot(t, maxTokens, of(1, "GET", 10))
		s.read(map[string][]event{"10:00": {of(1, "GET", 4)}, "10:15": {of(1, "GET", 6)}})
		before := s.l.health.regressions.Value
		s.read(map[string][]event{"10:00": {of(1, "GET", 3)}, "10:15": {of(1, "GET", 6)}})
		if got := s.l.health.regressions.Value - before; before != 0 || got != 1 {
			t.Errorf("%d tokens tracked: %d regressions, and %d by the split", maxTokens, got, before)
		}
	}
}

// Two readings at once that find different new label values keep them apart, and none is kept of a
// reading that is discarded.
func TestNewValuesOfReadingsAtOnce(t *testing.T) {
	s := newSplitSlot(t, 1)
	s.now = s.now.Add(10 * time.Minute)
	jobs := map[string]Job{}
	for _, j := range s.l.Due(s.now) {
		jobs[j.From.Format("15:04")] = j
	}
	failed, early, late := s.l.Begin(jobs["10:00"], s.now), s.l.Begin(jobs["10:00"], s.now), s.l.Begin(jobs["10:15"], s.now)
	add(failed, []event{of(1, "TRACE", 9)})
	add(early, []event{of(1, "GET", 1), of(2, "PUT", 2)})
	add(late, []event{of(1, "POST", 4), of(2, "PUT", 8), of(1, "GET", 16)})
	s.l.Discard(failed)
	s.l.Apply(early, 0)
	s.l.Apply(late, 0)
	want := map[string]int64{"GET": 17, "PUT": 10, "POST": 4}
	if got := s.methods(); !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
	b := &books{l: s.l, byToken: map[tokenid.ID]int64{}}
	if err := errors.Join(b.check(), b.checkSlots()); err != nil {
		t.Error(err)
	}
}

// In the second pass of a repeated hour the slot that has not ended waits: the end of its window
// would be taken for that of the first pass. Ended ones do not.
func TestTheSecondPassWaits(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, inclusive := range []bool{false, true} {
		l := (&world{location: berlin, maxTokens: 3}).ledger()
		l.c.Zone.Inclusive = inclusive
		l.Advance(at("2026-10-24T21:00Z"), 0)
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
			l.Advance(now, 0)
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
