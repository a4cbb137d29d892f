package collector

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Requests are counted by the templates of their paths, each once, per token and over all. Neither
// ids nor credentials show in a series, and the restart that turns URLs off ends them.
func TestURLs(t *testing.T) {
	const token, other = "token_highresptime_of_a_user", "another-token-of-a-user"
	o := defaults()
	o.StateDir = t.TempDir()
	o.Dimensions = append(o.Dimensions, counts.URL)
	s := newStory(t, simulator.Config{Seed: 1}, o, abs.Exclusive)
	for m := range 120 {
		add := func(token, url string, n int64) {
			s.sim.Add(simulator.Event{At: storyBegin.Add(time.Duration(m) * time.Minute), Token: token, API: "shop", URL: url, IP: "10.0.0.1", N: n})
		}
		add(token, fmt.Sprint("/shop/items/", m), 1)
		add(token, fmt.Sprintf("/shop/items/%d?access_token=hunter2", m), 2)
		add(token, "/introspect/"+token, 4)
		add(other, fmt.Sprintf("/shop/items/%032x", m*m), 8)
		add(other, "/reset/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqYW5lIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", 16)
		add(other, "/users/jane@example.com", 32)
	}
	s.until(6 * time.Hour)
	want := map[string]int64{"/shop/items/{id}": 120 * 11, "/introspect/{id}": 120 * 4, "/reset/{id}": 120 * 16, "/users/{email}": 120 * 32}
	got := map[string]int64{}
	for url := range want {
		got[url] = s.books.value(metrics.URLRequests, url)
	}
	if !maps.Equal(got, want) || s.books.sum(metrics.URLRequests) != s.truth() || s.books.sum(metrics.TokenURLRequests) != s.truth() {
		t.Errorf("the series are %v, and %d and %d of %d", got, s.books.sum(metrics.URLRequests), s.books.sum(metrics.TokenURLRequests), s.truth())
	}
	if n := s.books.value(metrics.TokenURLRequests, testKey.ID([]byte(other)).String(), "/shop/items/{id}"); n != 120*8 {
		t.Errorf("a token has %d requests of a template", n)
	}
	families := func() []string {
		var names []string
		for _, b := range s.last.Blocks {
			for _, sample := range b.Samples {
				text := sample.Series.String()
				if strings.Contains(text, "highresptime") || strings.Contains(text, "hunter2") || strings.Contains(text, "jane") {
					t.Errorf("%s shows %s", b.Family.Name, text)
				}
			}
			names = append(names, b.Family.Name)
		}
		return names
	}
	if !slices.Contains(families(), metrics.URLRequests.Name) {
		t.Error("nothing was served")
	}
	s.o.Dimensions = defaults().Dimensions
	s.restart()
	s.until(7 * time.Hour)
	for _, name := range families() {
		if name == metrics.URLRequests.Name || name == metrics.TokenURLRequests.Name {
			t.Errorf("%s is still there", name)
		}
	}
	if s.counted() != s.truth() {
		t.Errorf("counted %d of %d", s.counted(), s.truth())
	}
}
