package catalogue

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// TestTableIsComplete: by id, each once, and no entry without what the docs and the metric
// abs_attack_type_info show of it.
func TestTableIsComplete(t *testing.T) {
	categories := []string{
		"abnormal_use", "account_takeover", "data_tampering", "data_theft", "denial_of_service", "probing", "stolen_credentials",
	}
	clients := []string{"token", "cookie", "IP address", "API key", "username"}
	last := 0
	for _, e := range entries(t) {
		if e.ID <= last {
			t.Errorf("id %d comes after %d", e.ID, last)
		}
		last = e.ID
		if !slices.Contains([]string{Critical, Warning, Info}, e.Severity) {
			t.Errorf("id %d: severity %q", e.ID, e.Severity)
		}
		if !slices.Contains(categories, e.Category) {
			t.Errorf("id %d: category %q", e.ID, e.Category)
		}
		if e.Scope != "per API" && e.Scope != "across APIs" {
			t.Errorf("id %d: scope %q", e.ID, e.Scope)
		}
		for _, client := range e.Clients {
			if !slices.Contains(clients, client) {
				t.Errorf("id %d: client %q", e.ID, client)
			}
		}
		if e.Meaning == "" || !unicode.IsUpper(rune(e.Meaning[0])) || !strings.HasSuffix(e.Meaning, ".") || strings.Contains(e.Meaning, "\n") {
			t.Errorf("id %d: the meaning is no line that is a sentence: %q", e.ID, e.Meaning)
		}
		if e.Why == "" || len(e.Why) > 80 || strings.HasSuffix(e.Why, ".") {
			t.Errorf("id %d: the reason is no short phrase: %q", e.ID, e.Why)
		}
		checkSpellings(t, e)
	}
}

func checkSpellings(t *testing.T, e Entry) {
	t.Helper()
	for i, s := range e.spellings() {
		if s == "" || s != strings.TrimSpace(s) || fold(s) == "" || len(s) > maxName/2 {
			t.Errorf("id %d: spelling %q", e.ID, s)
		}
		if slices.Contains(e.spellings()[:i], s) {
			t.Errorf("id %d: %q is there twice", e.ID, s)
		}
	}
}

// TestSharedSpellings checks the one list of spellings that may mean several types. One that
// folding adds, or an alias that is there twice, fails here. Each has exactly one type that ABS
// lists for tokens, and that is the one found.
func TestSharedSpellings(t *testing.T) {
	want := map[string][]int{
		"api probing replay type 1":    {8, 32, 34},
		"api probing replay type 2":    {18, 19, 20, 33, 35},
		"excessive client connections": {22, 23, 24},
		"content scraping type 1":      {25, 26, 27},
	}
	entries := entries(t)
	if got := shared(entries); !reflect.DeepEqual(got, want) {
		t.Errorf("these spellings are shared: %v\nwant %v", got, want)
	}
	c := catalogue(t, nil)
	for spelling, ids := range want {
		var on []int
		for _, e := range entries {
			if slices.Contains(ids, e.ID) && e.on(token) {
				on = append(on, e.ID)
			}
		}
		if e, _ := c.Lookup(spelling); !slices.Equal(on, []int{e.ID}) {
			t.Errorf("%q finds %d; ABS lists %v for tokens", spelling, e.ID, on)
		}
	}
}

// shared is every folded spelling of several types, with their ids in order.
func shared(entries []Entry) map[string][]int {
	ids := map[string][]int{}
	for _, e := range entries {
		for _, s := range e.spellings() {
			if key := fold(s); !slices.Contains(ids[key], e.ID) {
				ids[key] = append(ids[key], e.ID)
			}
		}
	}
	maps.DeleteFunc(ids, func(_ string, of []int) bool { return len(of) == 1 })
	return ids
}

func entries(t *testing.T) []Entry {
	t.Helper()
	all, err := table()
	if err != nil {
		t.Fatal(err)
	}
	return all
}
