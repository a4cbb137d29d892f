package metrics

import (
	"testing"
	"time"
	"unsafe"
)

// Commits of one counter: what each exposes, and with which created timestamp.
func TestZeroInit(t *testing.T) {
	const hold = 105 * time.Second
	start := time.Date(2026, time.November, 23, 9, 0, 0, 0, time.UTC)
	type commit struct {
		now, asOf time.Duration // after start
		value     int64         // by then
		fails     bool          // to be published
		restart   bool          // afterwards
		exposed   int64
		created   time.Duration
	}
	for _, tt := range []struct {
		name    string
		commits []commit
	}{
		{"0 for the hold, then its value", []commit{
			{now: 0, asOf: 0, value: 5},
			{now: 104 * time.Second, asOf: 104 * time.Second, value: 6},
			{now: 105 * time.Second, asOf: 105 * time.Second, value: 7, exposed: 7},
			{now: 200 * time.Second, asOf: 200 * time.Second, value: 9, exposed: 9},
		}},
		{"a later commit of the same cycle", []commit{
			{now: 10 * time.Second, asOf: 0, value: 5, created: 10 * time.Second},
			{now: 110 * time.Second, asOf: 110 * time.Second, value: 5, created: 10 * time.Second},
			{now: 125 * time.Second, asOf: 110 * time.Second, value: 5, created: 10 * time.Second},
			{now: 126 * time.Second, asOf: 126 * time.Second, value: 5, exposed: 5, created: 10 * time.Second},
		}},
		{"not published at first", []commit{
			{now: 0, asOf: 0, value: 5, fails: true},
			{now: time.Hour, asOf: time.Hour, value: 5, created: time.Hour},
			{now: 2 * time.Hour, asOf: 2 * time.Hour, value: 6, exposed: 6, created: time.Hour},
		}},
		{"exposed once, its value stays exposed whatever becomes of the clock", []commit{
			{now: 0, asOf: 0, value: 5},
			{now: time.Hour, asOf: time.Hour, value: 5, exposed: 5},
			{now: -time.Hour, asOf: -time.Hour, value: 6, exposed: 6, restart: true},
			{now: -2 * time.Hour, asOf: -2 * time.Hour, value: 7, exposed: 7},
		}},
		{"a restart before its value was exposed", []commit{
			{now: 0, asOf: 0, value: 5, restart: true},
			{now: time.Hour, asOf: time.Hour, value: 5, created: time.Hour},
			{now: 2 * time.Hour, asOf: 2 * time.Hour, value: 5, exposed: 5, created: time.Hour, restart: true},
			{now: 3 * time.Hour, asOf: 3 * time.Hour, value: 5, exposed: 5, created: time.Hour},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z := ZeroInit{ZeroFor: hold}
			c := &Count{}
			for i, want := range tt.commits {
				c.Value = want.value
				z.Stage(start.Add(want.now), start.Add(want.asOf))
				z.Init(c, TokenRequests, "t", "0123456789abcdef")
				z.Make()
				s := z.Sample(c)
				if s.Value != want.exposed || !s.Series.Created().Equal(start.Add(want.created)) {
					t.Errorf("commit %d exposes %d, created %v after the start; want %d, %v", i, s.Value, s.Series.Created().Sub(start), want.exposed, want.created)
				}
				if !want.fails {
					z.Published(c)
				}
				if want.restart {
					restored := RestoredCount(c.Value, c.FirstExposed())
					c = &restored
				}
			}
		})
	}
}

// A count is small, and neither a count that has its series nor a commit without one allocates.
func TestZeroInitLimits(t *testing.T) {
	if size := unsafe.Sizeof(Count{}); size > 24 {
		t.Errorf("a count has %d bytes, want at most 24", size)
	}
	z := ZeroInit{}
	c := &Count{}
	now := time.Unix(1e9, 0)
	commit := func() {
		z.Stage(now, now)
		z.Init(c, Requests, "t")
		z.Make()
		z.Sample(c)
		z.Published(c)
	}
	commit()
	if !c.HasSeries() {
		t.Error("a published count has no series")
	}
	if got := testing.AllocsPerRun(100, commit); got > 0 {
		t.Errorf("a commit allocates %v times", got)
	}
	if z.Pending() {
		t.Error("nothing is new, but pending")
	}
}
