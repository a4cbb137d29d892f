package tokenid

import (
	"math/rand/v2"
	"testing"
)

// The id of a token is part of every dashboard: it must never change.
func TestID(t *testing.T) {
	key := Key("0123456789abcdef")
	const want = "256037eb10693e60"
	if got := key.ID([]byte("token10")).String(); got != want {
		t.Errorf("id %s, want %s", got, want)
	}
	if got := ID(0xa).String(); got != "000000000000000a" {
		t.Errorf("id %s", got)
	}
	if string(key.Check()) == string(Key("0123456789abcdeg").Check()) {
		t.Error("two keys have the same check")
	}
}

func TestFilter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	f := NewFilter(24)
	if f.Has(1) {
		t.Error("an empty filter has an id")
	}
	for range 3 {
		ids := make([]ID, 400_000)
		for i := range ids {
			ids[i] = ID(rng.Uint64())
			f.Add(ids[i])
		}
		for _, id := range ids {
			if !f.Has(id) {
				t.Fatalf("%s was added and is not there", id)
			}
		}
		mistaken := 0
		for range 100_000 {
			if f.Has(ID(rng.Uint64())) {
				mistaken++
			}
		}
		if mistaken > 400 { // 0.22 % are to be expected
			t.Errorf("%d of 100,000 were mistaken", mistaken)
		}
		f.Clear()
		if f.Has(ids[0]) && f.Has(ids[1]) && f.Has(ids[2]) {
			t.Error("a cleared filter has ids")
		}
	}
}
