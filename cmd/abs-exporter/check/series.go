package check

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
)

// maxNames bounds how many names of one kind are distinguished.
const maxNames = 100_000

// census is what a window has in it.
type census struct {
	tokens  int64               // rows
	perRow  map[string]int64    // by dimension: names, added up over the rows
	names   map[string]nameSet  // by dimension
	busiest map[string]int64    // requests by API
	seen    map[string]struct{} // of the row
	choices *counts.Choices
}

type nameSet map[string]struct{}

func newCensus(choices *counts.Choices) *census {
	c := &census{
		choices: choices, perRow: map[string]int64{}, names: map[string]nameSet{},
		busiest: map[string]int64{}, seen: map[string]struct{}{},
	}
	for _, d := range counts.Dimensions() {
		c.names[d.String()] = nameSet{}
	}
	return c
}

func (c *census) row(r *abs.Row) {
	c.tokens++
	c.add(counts.Method, r.Methods)
	c.add(counts.API, r.APIs)
	c.add(counts.Device, r.Devices)
	c.add(counts.IP, r.IPs)
	c.add(counts.URL, r.URLs)
	for _, n := range r.APIs {
		if _, known := c.busiest[string(n.Key)]; known || len(c.busiest) < maxNames {
			c.busiest[string(n.Key)] += n.N
		}
	}
}

// add adds the names of a row, as their series have them.
func (c *census) add(d counts.Dimension, names []abs.Count) {
	clear(c.seen)
	all := c.names[d.String()]
	for _, n := range names {
		name, _ := c.choices[d].Of(string(n.Key))
		if _, again := c.seen[name]; again {
			continue
		}
		c.seen[name] = struct{}{}
		c.perRow[d.String()]++
		if len(all) < maxNames {
			all[name] = struct{}{}
		}
	}
}

// api returns the API with most requests.
func (c *census) api() (name string) {
	for _, api := range slices.Sorted(maps.Keys(c.busiest)) {
		if name == "" || c.busiest[api] > c.busiest[name] {
			name = api
		}
	}
	return name
}

// series estimates what the longest report up to the window of the gauges costs a Prometheus.
func (i *inspection) series(_ context.Context, a *Answer) {
	if i.census == nil {
		a.unknown("No report of an hour or more was read.")
		return
	}
	if i.api == "" {
		i.api = i.census.api()
	}
	var dimensions []string
	for _, d := range i.target.TokenDimensions {
		dimensions = append(dimensions, d.String())
	}
	i.census.answer(a, &i.target.Series, dimensions, length(i.of))
}

const (
	// gaugesPerToken are the gauges of a token in the window: requests, attack types, anomaly types,
	// distinct addresses and devices.
	gaugesPerToken = 5
	// fixedSeries are about as many as a target has without tokens, attacks and names: its health,
	// licence, nodes, window.
	fixedSeries = 250
	// manySeries is what a small Prometheus holds.
	manySeries = 1_000_000
	// What a series takes of a Prometheus's memory, and a sample of its disk: rules of thumb.
	leastSeriesBytes, mostSeriesBytes = 3_000, 8_000
	sampleBytes                       = 2
)

// estimate is how many series a census makes.
func (c *census) estimate(s *config.Series, dimensions []string) (tracked, series int64) {
	tracked = min(c.tokens, int64(s.MaxTokens))
	perToken := 1 + float64(gaugesPerToken)
	for _, d := range dimensions {
		if c.tokens > 0 {
			perToken += float64(c.perRow[d]) / float64(c.tokens)
		}
	}
	series = int64(float64(tracked)*perToken) + fixedSeries
	for _, d := range []string{"method", "api", "device", "url"} { // URLs are read only where they are wanted
		series += int64(min(len(c.names[d]), cmp.Or(s.MaxValuesOf[d], s.MaxValues)+1))
	}
	return tracked, series
}

func (c *census) answer(a *Answer, s *config.Series, dimensions []string, window string) {
	tracked, series := c.estimate(s, dimensions)
	a.found("%s in %s: %s, %s, %s, %s.", counted(c.tokens, "token", "tokens"), window,
		c.distinct("api", "API", "APIs"), c.distinct("method", "method", "methods"), c.distinct("device", "device", "devices"),
		c.distinct("ip", "address", "addresses"))
	if slices.Contains(dimensions, counts.URL.String()) {
		a.found("Their URLs have %s (--series.dimensions=url).", c.distinct("url", "template", "templates"))
	}
	if c.tokens > tracked {
		a.found("%s of them get series of their own (--series.max-tokens), the others share _other.", number(tracked))
	}
	memory := func(perSeries int64) string { return size(series * perSeries) }
	text := "That makes some %s series: %s to %s of memory in a Prometheus, and %s of disk a day at a scrape a minute. Those of attacks are added while there are any."
	args := []any{number(series), memory(leastSeriesBytes), memory(mostSeriesBytes), size(series * 24 * 60 * sampleBytes)}
	if series > manySeries {
		a.fix(text, args...)
		a.found("Fewer dimensions (--series.dimensions) or fewer tokens make fewer.")
		a.set("series.max-tokens", "1000")
		return
	}
	a.found(text, args...)
}

func (c *census) distinct(dimension, one, more string) string {
	text := counted(len(c.names[dimension]), one, more)
	if len(c.names[dimension]) >= maxNames {
		text += " or more"
	}
	return text
}
