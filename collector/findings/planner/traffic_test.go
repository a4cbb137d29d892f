package planner

import (
	"math/rand/v2"
	"testing"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

func TestTrafficChange(t *testing.T) {
	m := new(trafficMemory)
	for _, step := range []struct {
		requests int64
		want     int
	}{{5, 3}, {7, 0}, {100, 4}, {0, 7}, {0, 0}, {1<<63 - 1, 63}, {-1, 63}} {
		if got := m.observe(1, step.requests); got != step.want {
			t.Errorf("%d requests: changed by %d doublings, want %d", step.requests, got, step.want)
		}
	}
}

// A token whose traffic stays the same is not mistaken for a new one, up to a million tokens.
func TestTrafficMemoryHoldsAMillionTokens(t *testing.T) {
	for tokens, limit := range map[int]int{100_000: 0, 1_000_000: 50_000} {
		m, mistaken := new(trafficMemory), 0
		for range 2 {
			mistaken = 0
			rng := rand.New(rand.NewPCG(1, 2))
			for range tokens {
				if m.observe(tokenid.ID(rng.Uint64()), 1000) != 0 {
					mistaken++
				}
			}
		}
		t.Logf("%d tokens: %d mistaken for new", tokens, mistaken)
		if mistaken > limit {
			t.Errorf("%d tokens: %d mistaken for new, want %d at most", tokens, mistaken, limit)
		}
	}
}
