package planner

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

func TestTrafficChange(t *testing.T) {
	p := New(time.Minute)
	for _, step := range []struct {
		requests int64
		want     int
	}{{5, 3}, {7, 0}, {100, 4}, {0, -7}, {0, 0}, {1<<63 - 1, 63}, {-1, -63}} {
		plan := p.NewPlan(10, time.Unix(1e9, 0), noFindings)
		plan.Offer(1, []byte("x"), step.requests)
		if got := plan.change(1); got != step.want {
			t.Errorf("%d requests: changed by %d doublings, want %d", step.requests, got, step.want)
		}
		plan.Commit()
	}
}

// The sum of many rows is precise to a thousandth, and ends at the largest number.
func TestSumOfRows(t *testing.T) {
	if testing.Short() {
		t.Skip("takes millions of rows")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		r, want, got := new(reportTraffic), int64(0), int64(0)
		size := int64(1) << rng.IntN(50)
		for range 1 + rng.IntN(64) {
			n := rng.Int64N(size)
			want += n
			got = r.add(7, n)
		}
		if float64(got) > float64(want) || float64(got) < 0.999*float64(want) {
			t.Fatalf("the sum is %d, want %d", got, want)
		}
		if r.tokens != 1 {
			t.Fatalf("%d tokens, want 1", r.tokens)
		}
	}
	r := new(reportTraffic)
	r.add(7, 1<<63-1)
	if got := r.add(7, 1<<63-1); got < 1<<62 || r.level(7) != 63 {
		t.Errorf("past the largest number the sum is %d, level %d", got, r.level(7))
	}
}

// One report after another: nothing of an earlier one is left, in the sums or in the memory.
func TestReportReplacesTheLast(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	r, m := new(reportTraffic), new(trafficMemory)
	var all []tokenid.ID
	for n := range 20 {
		r.reset()
		if r.tokens != 0 || r.sums != [buckets][8]uint32{} {
			t.Fatalf("report %d begins with sums of the last", n)
		}
		now := map[tokenid.ID]bool{}
		for range rng.IntN(40) {
			id := tokenid.ID(rng.Uint64())
			if len(all) > 0 && rng.IntN(3) == 0 { // of an earlier report, or its bucket with another tag
				id = all[rng.IntN(len(all))] ^ tokenid.ID(rng.IntN(2))<<60
			}
			if !now[id] {
				r.add(id, 1000)
			}
			all, now[id] = append(all, id), true
		}
		r.remember(m)
		for _, id := range all {
			if want := map[bool]int{true: 10}[now[id]]; m.level(id) != want {
				t.Fatalf("report %d: the level of token %v is %d, want %d", n, id, m.level(id), want)
			}
		}
	}
}

// A token whose traffic stays the same is not mistaken for a new one, up to a million tokens.
func TestTrafficMemoryHoldsAMillionTokens(t *testing.T) {
	for tokens, limit := range map[int]int{100_000: 0, 1_000_000: 10_000} {
		m := new(trafficMemory)
		each := func(visit func(tokenid.ID)) {
			rng := rand.New(rand.NewPCG(1, 2))
			for range tokens {
				visit(tokenid.ID(rng.Uint64()))
			}
		}
		r, mistaken := new(reportTraffic), 0
		each(func(id tokenid.ID) { r.add(id, 1000) })
		r.remember(m)
		r = new(reportTraffic)
		each(func(id tokenid.ID) {
			if r.add(id, 1000); r.level(id) > m.level(id)+1 {
				mistaken++
			}
		})
		t.Logf("%d tokens: %d mistaken for new, counted as %d", tokens, mistaken, r.tokens)
		if mistaken > limit {
			t.Errorf("%d tokens: %d mistaken for new, want %d at most", tokens, mistaken, limit)
		}
	}
}
