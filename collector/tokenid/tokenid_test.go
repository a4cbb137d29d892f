package tokenid

import (
	"bytes"
	"math/rand/v2"
	"strings"
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

// FuzzID: an id depends on the key and the token alone, whatever the Hasher made before, is 16
// hexadecimal digits, and holds nothing of the token.
func FuzzID(f *testing.F) {
	f.Add([]byte("a key of a test"), []byte("eyJhbGciOiJSUzI1NiJ9.x"), []byte(""))
	f.Add([]byte{}, []byte{0}, []byte{0, 0})
	f.Fuzz(func(t *testing.T, key, token, other []byte) {
		h := Key(key).Hasher()
		id := h.ID(token)
		if again := h.ID(other); (again == id) != bytes.Equal(token, other) {
			t.Fatalf("%q and %q have the ids %v and %v", token, other, id, again)
		}
		if h.ID(token) != id || Key(key).ID(token) != id {
			t.Fatalf("the id of %q changes", token)
		}
		if text := id.String(); len(text) != 16 || strings.Trim(text, "0123456789abcdef") != "" {
			t.Fatalf("the id of %q is %q", token, text)
		}
	})
}
