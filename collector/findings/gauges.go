package findings

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// answerSeries are the gauge series of one token, made when they are first exposed.
type answerSeries struct {
	attackTypes, anomalyTypes *metrics.Series
	findings                  map[Finding]*metrics.Series
}

// Gauges returns the gauge families as they are exposed from now on: findings whose last answer is
// younger than the window, and those that ended within the last cycle as 0.
func (f *Findings) Gauges(now time.Time) []metrics.Block {
	a := f.active
	a.exposedFlagged = 0
	if !f.enabled() {
		return nil
	}
	a.forget(f.cfg.Tracked)
	g := tokenGauges{active: a}
	tokens := map[Finding]int64{}
	for pair := range a.detections {
		tokens[pair] = 0
	}
	flagged, exposed := 0, 0
	for _, id := range a.byImportance() {
		s := a.tokens[id]
		if now.Sub(s.at) > f.cfg.Window {
			s.ended = nil
			continue
		}
		if s.flagged() {
			flagged++
		}
		for _, finding := range s.findings {
			tokens[finding]++
		}
		if exposed++; exposed > a.maxTokens {
			s.ended, s.series = nil, answerSeries{}
			continue
		}
		g.add(id, s, now)
	}
	a.exposedFlagged = flagged
	blocks := append(a.tokenCounts(tokens), metrics.Block{
		Family:  metrics.FlaggedTokens,
		Samples: []metrics.Sample{a.sample(metrics.FlaggedTokens, int64(flagged))},
	}, a.typeInfo())
	if a.maxTokens == 0 {
		return blocks
	}
	return append(blocks, g.blocks()...)
}

// tokenGauges are the families with the label token.
type tokenGauges struct {
	*active
	attackTypes, anomalyTypes, attacks, anomalies []metrics.Sample
}

func (g *tokenGauges) add(id tokenid.ID, s *answer, now time.Time) {
	token := id.String()
	if !s.gone {
		if s.series.attackTypes == nil {
			s.series.attackTypes = g.newSeries(metrics.TokenAttackTypes, token)
			s.series.anomalyTypes = g.newSeries(metrics.TokenAnomalyTypes, token)
		}
		g.attackTypes = append(g.attackTypes, metrics.Sample{Series: s.series.attackTypes, Value: s.attackTypes})
		g.anomalyTypes = append(g.anomalyTypes, metrics.Sample{Series: s.series.anomalyTypes, Value: s.anomalyTypes})
	}
	for _, f := range s.findings {
		g.finding(token, s, f, 1)
	}
	s.ended = slices.DeleteFunc(s.ended, func(e ended) bool {
		return !e.exposed.IsZero() && now.Sub(e.exposed) >= g.zeroFor
	})
	for i := range s.ended {
		e := &s.ended[i]
		if e.exposed.IsZero() {
			e.exposed = now
		}
		g.finding(token, s, e.Finding, 0)
	}
}

func (g *tokenGauges) finding(token string, s *answer, f Finding, value int64) {
	family, samples := metrics.TokenAttackActive, &g.attacks
	if f.Anomaly {
		family, samples = metrics.TokenAnomalyActive, &g.anomalies
	}
	series, ok := s.series.findings[f]
	if !ok {
		if s.series.findings == nil {
			s.series.findings = map[Finding]*metrics.Series{}
		}
		series = g.newSeries(family, token, f.Type, f.API)
		s.series.findings[f] = series
	}
	*samples = append(*samples, metrics.Sample{Series: series, Value: value})
}

func (g *tokenGauges) blocks() []metrics.Block {
	return []metrics.Block{
		{Family: metrics.TokenAttackTypes, Samples: g.attackTypes},
		{Family: metrics.TokenAnomalyTypes, Samples: g.anomalyTypes},
		{Family: metrics.TokenAttackActive, Samples: g.attacks},
		{Family: metrics.TokenAnomalyActive, Samples: g.anomalies},
	}
}

// tokenCounts returns how many tokens have a finding, by type and API.
func (a *active) tokenCounts(tokens map[Finding]int64) []metrics.Block {
	attacks := metrics.Block{Family: metrics.AttackTokens}
	anomalies := metrics.Block{Family: metrics.AnomalyTokens}
	for _, f := range slices.SortedFunc(maps.Keys(tokens), compareFindings) {
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
	for f := range a.detections {
		types[f.Type] = struct{}{}
	}
	info := metrics.Block{Family: metrics.AttackTypeInfo}
	for _, name := range slices.Sorted(maps.Keys(types)) {
		entry, known := a.catalogue.Lookup(name)
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

// byImportance returns the tokens in the order in which they get series: flagged ones first, then
// those with anomalies, then by id, so that the choice does not change from cycle to cycle.
func (a *active) byImportance() []tokenid.ID {
	var byRank [3][]tokenid.ID
	for id, s := range a.tokens {
		rank := 2
		switch {
		case s.flagged():
			rank = 0
		case len(s.findings) > 0:
			rank = 1
		}
		byRank[rank] = append(byRank[rank], id)
	}
	for _, ids := range byRank {
		slices.Sort(ids)
	}
	return slices.Concat(byRank[:]...)
}
