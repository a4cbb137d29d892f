package planner

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

func noFindings(tokenid.ID) (time.Time, bool) { return time.Time{}, false }

// commit makes a plan of ten calls from a window report that holds ids.
func commit(p *Planner, now time.Time, ids ...tokenid.ID) {
	plan := p.NewPlan(10, now, noFindings)
	for _, id := range ids {
		plan.Offer(id, []byte("x"), 1)
	}
	plan.Commit()
}

func TestFailedPriorityCallIsInTheNextPlan(t *testing.T) {
	p, now := New(time.Minute), time.Unix(1e9, 0)
	p.AddPriority(7, []byte("x"))
	c, _ := p.Next()
	p.Failed(c, now)
	commit(p, now)
	if c, ok := p.Next(); !ok || c.ID != 7 || string(c.Token) != "x" {
		t.Errorf("next is %+v, %v", c, ok)
	}
}

// A call that keeps failing is made three times, after all others; one that was returned in between
// keeps its position.
func TestRetries(t *testing.T) {
	p, now := New(time.Minute), time.Unix(1e9, 0)
	commit(p, now, 1, 2)
	var order []tokenid.ID
	for {
		c, ok := p.Next()
		if !ok {
			break
		}
		p.Return(c)
		c, _ = p.Next()
		order = append(order, c.ID)
		if c.ID == 1 {
			p.Failed(c, now)
		} else {
			p.Answered(c, now)
		}
	}
	if want := []tokenid.ID{1, 2, 1, 1}; !slices.Equal(order, want) {
		t.Errorf("calls for %v, want %v", order, want)
	}
	if c := p.Coverage(); c.Covered != 1 || c.Failed != 1 || c.Due != 0 {
		t.Errorf("coverage %+v", c)
	}
}

func TestRoundRobinGetsHalf(t *testing.T) {
	p, now := New(time.Minute), time.Unix(1e9, 0)
	plan := p.NewPlan(1000, now, noFindings)
	for id := range tokenid.ID(5000) {
		plan.Offer(id<<48, []byte("x"), 1)
	}
	plan.Commit()
	for id := range tokenid.ID(5000) {
		p.AddPriority(id<<48|1, []byte("x"))
	}
	calls := map[queue]int{}
	for range 1000 {
		c, _ := p.Next()
		calls[c.queue]++
		p.Answered(c, now)
	}
	if calls[roundRobin] < 450 || calls[priority] < 450 {
		t.Errorf("calls by queue: %v", calls)
	}
}

// A skipped token is not requested again, and is forgotten when it leaves the window.
func TestSkipped(t *testing.T) {
	p, now := New(time.Minute), time.Unix(1e9, 0)
	commit(p, now, 1)
	c, _ := p.Next()
	p.Skipped(c, now)
	commit(p, now, 1, 2)
	if c, _ := p.Next(); c.ID != 2 || p.Coverage().Skipped != 1 {
		t.Errorf("next is %v, coverage %+v", c.ID, p.Coverage())
	}
	commit(p, now, 2)
	if n := p.Coverage().Skipped; n != 0 {
		t.Errorf("%d skipped tokens that are not in the window", n)
	}
}

// A token with several rows, or in several spans of the window, is one token: once it is answered
// nothing is due, and its traffic is the sum of its rows.
func TestTokenWithSeveralRows(t *testing.T) {
	p, now := New(time.Minute), time.Unix(1e9, 0)
	finding := tokenid.ID(3)
	for round := range 3 {
		now = now.Add(10 * time.Minute)
		plan := p.NewPlan(10, now, func(id tokenid.ID) (time.Time, bool) { return now.Add(-time.Hour), id == finding })
		for range 8 {
			for id := tokenid.ID(1); id <= 3; id++ {
				plan.Offer(id, []byte("x"), 100)
			}
		}
		plan.Commit()
		if c := p.Coverage(); round == 0 && c.Due != 3 || round > 0 && c.Covered != 3 || c.Due+c.Covered != 3 {
			t.Errorf("round %d: %+v of 3 tokens", round, c)
		}
		for {
			c, ok := p.Next()
			if !ok {
				break
			}
			p.Answered(c, now)
		}
		if c := p.Coverage(); c.Due != 0 || c.Covered != 3 {
			t.Errorf("round %d: %+v after all calls", round, c)
		}
	}
}

// In how many spans the window is read does not change how busy its tokens are: only the token that
// rose is in the changed queue.
func TestSpansAreNotComparedWithEachOther(t *testing.T) {
	p, now := New(time.Minute), time.Unix(1e9, 0)
	for report, spans := range []int64{1, 64, 64, 4, 1} {
		plan := p.NewPlan(100, now, noFindings)
		for range spans {
			for i := range tokenid.ID(1000) {
				requests := 6400 / spans
				if i == 500 && report == 3 {
					requests *= 4
				}
				plan.Offer(i<<54|i, []byte("x"), requests)
			}
		}
		plan.Commit()
		want := []int{4, 0, 0, 1, 1}[report] // all are new; none; none; the one that rose; that it fell
		if got := len(p.queues[changed]); got != want {
			t.Errorf("report %d, in %d spans: %d tokens changed, want %d", report, spans, got, want)
		}
	}
}

// Each token of the window is in one state, whatever happens to the calls about it: 100 tokens are
// 100, also while a plan makes tokens that have an answer wait for the next.
func TestCoverageIsAPartition(t *testing.T) {
	p, now := New(time.Minute), time.Unix(1e9, 0)
	rnd := rand.New(rand.NewPCG(1, 2))
	answered := map[tokenid.ID]time.Time{}
	idOf := func(i int) tokenid.ID { return tokenid.ID(i+1) * 0x9e3779b97f4a7c15 }
	for round := range 20 {
		now = now.Add(10 * time.Minute)
		plan := p.NewPlan(1000, now, func(id tokenid.ID) (time.Time, bool) { return answered[id], id%8 == 0 })
		for i := range 100 {
			id := idOf(i + 5*round) // some leave and some come
			plan.Offer(id, []byte("x"), int64(rnd.IntN(100)))
			plan.Offer(id, []byte("x"), 1)
		}
		plan.Commit()
		check := func(when string) {
			t.Helper()
			if c := p.Coverage(); c.Due+c.Covered+c.Skipped+c.Failed != 100 || min(c.Due, c.Covered, c.Skipped, c.Failed) < 0 {
				t.Fatalf("round %d, %s: %+v, and there are 100 tokens", round, when, c)
			}
		}
		check("planned")
		for range 10 {
			p.AddPriority(idOf(rnd.IntN(300)), []byte("x")) // in the window or not
		}
		for {
			c, ok := p.Next()
			if !ok {
				break
			}
			switch n := rnd.IntN(100); {
			case n < 2:
				p.Skipped(c, now)
			case n < 10:
				p.Failed(c, now)
			default:
				p.Answered(c, now)
				answered[c.ID] = now
			}
			check("asked")
		}
		if c := p.Coverage(); c.Due > 0 {
			t.Errorf("round %d: %+v after all calls", round, c)
		}
	}
	commit(p, now, 1, 2, 3)
	for range 3 {
		c, _ := p.Next()
		p.Answered(c, now)
	}
	commit(p, now, 1, 2, 3)
	if c := p.Coverage(); c.Covered != 3 || c.Due != 0 {
		t.Errorf("all tokens have an answer, and are %+v", c)
	}
}
