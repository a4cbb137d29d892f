package metrics

import (
	"testing"
	"time"
)

// A series of a batch equals the one that NewSeries returns.
func TestBatch(t *testing.T) {
	created := time.Date(2026, time.March, 3, 12, 0, 0, 5e6, time.UTC)
	rows := [][]string{
		{"t", "0123456789abcdef", "GET"},
		{"t", `quote " backslash \ break` + "\n", "é"},
		{"", "\xff\x00", "PUT"},
		{"t", "_other", ""},
	}
	families := []*Family{TokenMethodRequests, TokenAPIRequests}
	var b Batch
	for range 2 { // it can be used again
		for _, f := range families {
			for _, values := range rows {
				b.Add(f, created, values...)
				b.Add(Requests, time.Time{}, values[0])
				b.Add(TokenRequests, created, values[:2]...)
			}
		}
		made := b.Make()
		for _, f := range families {
			for _, values := range rows {
				for i, want := range []*Series{
					NewSeries(f, created, values...), NewSeries(Requests, time.Time{}, values[0]), NewSeries(TokenRequests, created, values[:2]...),
				} {
					if made[i] != *want {
						t.Errorf("%v, want %v", &made[i], want)
					}
				}
				made = made[3:]
			}
		}
		if len(made) != 0 {
			t.Errorf("%d series too many", len(made))
		}
	}
}

func TestBatchAllocations(t *testing.T) {
	created := time.Now()
	methods := []string{"GET", "PUT", "POST", "DELETE"}
	var b Batch
	got := testing.AllocsPerRun(100, func() {
		for _, m := range methods {
			b.Add(TokenMethodRequests, created, "shop", "0123456789abcdef", m)
		}
		b.Make()
	})
	if got > 2 {
		t.Errorf("a batch of %d series allocates %v times, want at most 2", len(methods), got)
	}
}
