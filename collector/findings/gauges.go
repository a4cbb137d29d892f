package findings

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// tokenSeries are the gauge series of one token, made when they are first exposed.
type tokenSeries struct {
	attackTypes, anomalyTypes *metrics.Series
	findings, starts          map[Finding]*metrics.Series
}

// Gauges returns the gauge families as they are exposed from now on. What counts tokens is absent
// while no answer is younger than the window: 0 means that ABS was asked and answered.
func (f *Findings) Gauges(now time.Time) []metrics.Block {
	a := f.active
	f.exposedFlagged = unknown
	if !f.enabled() {
		return nil
	}
	a.forget(f.cfg.Tracked)
	g := tokenGauges{active: a}
	tokens, starts, inUse := map[Finding]int64{}, map[Finding]time.Time{}, map[Finding]struct{}{}
	flagged := 0
	for i, id := range a.byImportance() {
		t := a.tokens[id]
		if t.flagged() {
			flagged++
		}
		active := t.activeFindings()
		for _, finding := range active {
			tokens[finding]++
			if began := t.find(finding).Began; starts[finding].IsZero() || !began.IsZero() && began.Before(starts[finding]) {
				starts[finding] = began
			}
		}
		for i := range t.findings {
			inUse[t.findings[i].Finding] = struct{}{}
		}
		if i >= a.maxSeries {
			t.ended, t.series = nil, tokenSeries{}
			continue
		}
		g.add(id, t, active, now)
	}
	a.pairs.expire(tokens, inUse, now, a.expireFor)
	blocks := []metrics.Block{a.typeInfo()}
	if !f.answered.IsZero() && now.Sub(f.answered) <= f.cfg.Window {
		f.exposedFlagged = flagged
		blocks = append(blocks, metrics.Block{
			Family:  metrics.FlaggedTokens,
			Samples: []metrics.Sample{a.sample(metrics.FlaggedTokens, int64(flagged))},
		})
		blocks = append(blocks, a.tokenCounts(tokens)...)
		blocks = append(blocks, a.attackStarts(starts))
	}
	if a.maxSeries == 0 {
		return blocks
	}
	return append(blocks, g.blocks()...)
}

// tokenGauges are the families with the label token.
type tokenGauges struct {
	*active
	attackTypes, anomalyTypes, attacks, anomalies, starts []metrics.Sample
}

func (g *tokenGauges) add(id tokenid.ID, t *token, active []Finding, now time.Time) {
	text := id.String()
	if !t.answered.IsZero() {
		if t.series.attackTypes == nil {
			t.series.attackTypes = g.newSeries(metrics.TokenAttackTypes, text)
			t.series.anomalyTypes = g.newSeries(metrics.TokenAnomalyTypes, text)
		}
		g.attackTypes = append(g.attackTypes, metrics.Sample{Series: t.series.attackTypes, Value: t.attackTypes})
		g.anomalyTypes = append(g.anomalyTypes, metrics.Sample{Series: t.series.anomalyTypes, Value: t.anomalyTypes})
	}
	if len(active) > maxTokenPairs {
		slices.SortStableFunc(active, func(a, b Finding) int { return cmp.Compare(g.pairs.rank(a), g.pairs.rank(b)) })
		active = active[:maxTokenPairs]
	}
	if len(t.series.findings) > 2*maxTokenPairs {
		t.series.findings, t.series.starts = nil, nil // those of long ago go
	}
	for _, f := range active {
		g.finding(text, t, f, 1)
		if began := t.find(f).Began; !f.Anomaly && !began.IsZero() {
			g.starts = append(g.starts, metrics.Sample{Series: g.series(&t.series.starts, metrics.TokenAttackStart, text, f), Value: began.Unix()})
		}
	}
	t.ended = slices.DeleteFunc(t.ended, func(e ended) bool {
		return !e.exposed.IsZero() && now.Sub(e.exposed) >= g.zeroFor
	})
	for i := range t.ended[:min(len(t.ended), maxTokenPairs-len(active))] {
		e := &t.ended[i]
		if e.exposed.IsZero() {
			e.exposed = now
		}
		g.finding(text, t, e.Finding, 0)
	}
}

func (g *tokenGauges) finding(text string, t *token, f Finding, value int64) {
	family, samples := metrics.TokenAttackActive, &g.attacks
	if f.Anomaly {
		family, samples = metrics.TokenAnomalyActive, &g.anomalies
	}
	*samples = append(*samples, metrics.Sample{Series: g.series(&t.series.findings, family, text, f), Value: value})
}

// series returns the series of a finding, made once.
func (a *active) series(made *map[Finding]*metrics.Series, family *metrics.Family, text string, f Finding) *metrics.Series {
	series, ok := (*made)[f]
	if !ok {
		if *made == nil {
			*made = map[Finding]*metrics.Series{}
		}
		series = a.newSeries(family, text, f.Type, f.API)
		(*made)[f] = series
	}
	return series
}

func (g *tokenGauges) blocks() []metrics.Block {
	return []metrics.Block{
		{Family: metrics.TokenAttackTypes, Samples: g.attackTypes},
		{Family: metrics.TokenAnomalyTypes, Samples: g.anomalyTypes},
		{Family: metrics.TokenAttackActive, Samples: g.attacks},
		{Family: metrics.TokenAnomalyActive, Samples: g.anomalies},
		{Family: metrics.TokenAttackStart, Samples: g.starts},
	}
}

// attackStarts returns when the first of the tokens that have an attack now was seen with it.
func (a *active) attackStarts(starts map[Finding]time.Time) metrics.Block {
	block := metrics.Block{Family: metrics.AttackStart}
	for _, f := range slices.SortedFunc(maps.Keys(starts), compareFindings) {
		if !f.Anomaly && !starts[f].IsZero() {
			block.Samples = append(block.Samples, a.sample(block.Family, starts[f].Unix(), f.Type, f.API))
		}
	}
	return block
}

// tokenCounts returns how many tokens have a finding, by type and API.
func (a *active) tokenCounts(tokens map[Finding]int64) []metrics.Block {
	attacks := metrics.Block{Family: metrics.AttackTokens}
	anomalies := metrics.Block{Family: metrics.AnomalyTokens}
	for _, f := range slices.SortedFunc(maps.Keys(a.pairs.all), compareFindings) {
		block := &attacks
		if f.Anomaly {
			block = &anomalies
		}
		block.Samples = append(block.Samples, a.sample(block.Family, tokens[f], f.Type, f.API))
	}
	return []metrics.Block{attacks, anomalies}
}

// typeInfo returns what the catalogue has of every type that a series names.
func (a *active) typeInfo() metrics.Block {
	types := map[string]struct{}{}
	for f := range a.pairs.all {
		types[f.Type] = struct{}{}
	}
	info := metrics.Block{Family: metrics.AttackTypeInfo}
	for _, name := range slices.Sorted(maps.Keys(types)) {
		entry, known := a.pairs.catalogue.Lookup(name)
		id := ""
		if known {
			id = strconv.Itoa(entry.ID)
		}
		info.Samples = append(info.Samples, a.sample(info.Family, 1, name, id, entry.Category, entry.Severity))
	}
	return info
}

func (a *active) sample(f *metrics.Family, value int64, labels ...string) metrics.Sample {
	return metrics.Sample{Series: a.newSeries(f, labels...), Value: value}
}

func (a *active) newSeries(f *metrics.Family, labels ...string) *metrics.Series {
	return metrics.NewSeries(f, time.Time{}, append([]string{a.target}, labels...)...)
}

// byImportance returns the tokens in the order in which they get series: flagged ones first, by the
// most severe of their attacks, then those with anomalies, then by id, so that the choice does not
// change from cycle to cycle.
func (a *active) byImportance() []tokenid.ID {
	var byRank [ranks + 1][]tokenid.ID
	for id, t := range a.tokens {
		rank := ranks
		for i := range t.findings {
			if s := &t.findings[i]; s.active() {
				rank = min(rank, a.pairs.rank(s.Finding))
			}
		}
		byRank[rank] = append(byRank[rank], id)
	}
	for _, ids := range byRank {
		slices.Sort(ids)
	}
	return slices.Concat(byRank[:]...)
}
