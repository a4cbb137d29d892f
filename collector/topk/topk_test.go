package topk

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// What is kept is what sorting all offers by their highest scores would keep, as long as no key
// comes again after it was lost.
func TestBest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var b Best[int, []int]
	for range 500 {
		limit := rng.IntN(20)
		b.Reset(limit)
		if b.Limit() != limit {
			t.Fatalf("limit %d, want %d", b.Limit(), limit)
		}
		scores, lost := map[int]uint64{}, map[int]bool{}
		for range rng.IntN(200) {
			key, score := rng.IntN(60), uint64(rng.IntN(10))
			if lost[key] {
				continue
			}
			if e := b.Get(key); e != nil {
				scores[key] += score
				b.Raise(e, e.Score+score)
				e.Value = append(e.Value, key)
				continue
			}
			e, gone, full := b.Add(key, score)
			if full {
				lost[gone] = true
			}
			if (e == nil) != (full && gone == key) {
				t.Fatalf("key %d: entry %v, lost %d, full %v", key, e, gone, full)
			}
			scores[key] = score
			if e != nil {
				e.Value = append(e.Value[:0], key)
			}
		}
		kept := []int{}
		for key := range scores {
			if !lost[key] {
				kept = append(kept, key)
			}
		}
		slices.SortFunc(kept, func(a, b int) int { return cmp.Or(cmp.Compare(scores[b], scores[a]), cmp.Compare(a, b)) })
		got := []int{}
		for _, e := range b.Sorted() {
			got = append(got, e.Key)
			if e.Score != scores[e.Key] || slices.ContainsFunc(e.Value, func(k int) bool { return k != e.Key }) {
				t.Fatalf("entry %+v, want score %d", e, scores[e.Key])
			}
		}
		if !slices.Equal(got, kept) || len(got) > limit {
			t.Fatalf("limit %d: kept %v, want %v", limit, got, kept)
		}
		for key, score := range scores {
			if n := len(kept); lost[key] && n > 0 && score > scores[kept[n-1]] {
				t.Fatalf("%d was lost with score %d, although %d was kept", key, score, scores[kept[n-1]])
			}
		}
	}
}

func TestBestAllocations(t *testing.T) {
	var b Best[int, [4]int]
	fill := func() {
		b.Reset(100)
		for i := range 1000 {
			b.Add(i, uint64(i))
		}
		b.Sorted()
	}
	fill()
	if got := testing.AllocsPerRun(10, fill); got > 0 {
		t.Errorf("refilling allocates %v times", got)
	}
}
