package topk

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// offers is a Best and what was offered to it.
type offers struct {
	Best[int, []int]
	scores map[int]uint64
	lost   map[int]bool
}

func (o *offers) offer(t *testing.T, key int, score uint64) {
	t.Helper()
	if o.lost[key] {
		return
	}
	o.scores[key] += score
	if e := o.Get(key); e != nil {
		o.Raise(e, e.Score+score)
		e.Value = append(e.Value, key)
		return
	}
	e, lost, full := o.Add(key, score)
	if full {
		o.lost[lost] = true
	}
	if (e == nil) != (full && lost == key) {
		t.Fatalf("key %d: entry %v, lost %d, full %v", key, e, lost, full)
	}
	if e != nil {
		e.Value = append(e.Value[:0], key)
	}
}

// What is kept are the keys that were not lost, the best first; a lost one is worse than all that
// are kept.
func (o *offers) check(t *testing.T) {
	t.Helper()
	kept := []int{}
	for key := range o.scores {
		if !o.lost[key] {
			kept = append(kept, key)
		}
	}
	slices.SortFunc(kept, func(a, b int) int {
		return cmp.Or(cmp.Compare(o.scores[b], o.scores[a]), cmp.Compare(a, b))
	})
	got := []int{}
	for _, e := range o.Sorted() {
		got = append(got, e.Key)
		if e.Score != o.scores[e.Key] || slices.ContainsFunc(e.Value, func(k int) bool { return k != e.Key }) {
			t.Fatalf("entry %+v, want score %d", e, o.scores[e.Key])
		}
	}
	if !slices.Equal(got, kept) || len(got) > o.Limit() {
		t.Fatalf("limit %d: kept %v, want %v", o.Limit(), got, kept)
	}
	for key := range o.lost {
		if n := len(kept); n > 0 && o.scores[key] > o.scores[kept[n-1]] {
			t.Fatalf("%d was lost with score %d, although %d was kept", key, o.scores[key], o.scores[kept[n-1]])
		}
	}
}

func TestBest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var o offers
	for range 500 {
		o.Reset(rng.IntN(20))
		o.scores, o.lost = map[int]uint64{}, map[int]bool{}
		for range rng.IntN(200) {
			o.offer(t, rng.IntN(60), uint64(rng.IntN(10)))
		}
		o.check(t)
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
