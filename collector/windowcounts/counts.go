// Package windowcounts counts what the sliding window holds: requests of tracked tokens, and
// distinct addresses and devices.
package windowcounts

import (
	"hash/maphash"
	"maps"
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/reports"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Counts adds up the rows of the window: a token may have several in one report, and has one
// in each span that it is in.
type Counts struct {
	seed    maphash.Seed
	ips     distinct
	tracked map[tokenid.ID]*tokenCounts
}

// tokenCounts are those of a tracked token.
type tokenCounts struct {
	requests     int64
	ips, devices distinct
}

// New returns counts of no rows.
func New() *Counts {
	return &Counts{seed: maphash.MakeSeed(), tracked: map[tokenid.ID]*tokenCounts{}}
}

// Add adds a row. tracked says whether its token has series of its own.
func (c *Counts) Add(id tokenid.ID, row *reports.Row, tracked bool) {
	c.addDistinct(&c.ips, row.IPs)
	if !tracked {
		return
	}
	t := c.tracked[id]
	if t == nil {
		t = &tokenCounts{}
		c.tracked[id] = t
	}
	t.requests += row.Requests
	c.addDistinct(&t.ips, row.IPs)
	c.addDistinct(&t.devices, row.Devices)
}

// IPs returns the number of distinct addresses.
func (c *Counts) IPs() int64 { return c.ips.count() }

// addDistinct adds the names of counts. Other is no name, but those that a row had no room for.
func (c *Counts) addDistinct(d *distinct, counts []reports.Count) {
	for _, count := range counts {
		if len(count.Key) > 0 && string(count.Key) != reports.Other {
			d.add(c.seed, count.Key)
		}
	}
}

// PerToken returns the families with the label token.
func (c *Counts) PerToken(target string) []metrics.Block {
	ids := slices.Sorted(maps.Keys(c.tracked))
	var blocks []metrics.Block
	for _, gauge := range []struct {
		family *metrics.Family
		value  func(*tokenCounts) int64
	}{
		{metrics.TokenWindowRequests, func(t *tokenCounts) int64 { return t.requests }},
		{metrics.TokenWindowIPs, func(t *tokenCounts) int64 { return t.ips.count() }},
		{metrics.TokenWindowDevices, func(t *tokenCounts) int64 { return t.devices.count() }},
	} {
		block := metrics.Block{Family: gauge.family, Samples: make([]metrics.Sample, 0, len(ids))}
		var batch metrics.Batch
		for _, id := range ids {
			batch.Add(gauge.family, time.Time{}, target, id.String())
		}
		series := batch.Make()
		for i, id := range ids {
			block.Samples = append(block.Samples, metrics.Sample{Series: &series[i], Value: gauge.value(c.tracked[id])})
		}
		blocks = append(blocks, block)
	}
	return blocks
}
