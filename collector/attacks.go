package collector

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/catalogue"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// finding is an attack or anomaly type on an API.
type finding struct {
	Anomaly   bool
	Type, API string
}

func compareFindings(a, b finding) int {
	switch {
	case a.Anomaly == b.Anomaly:
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.API, b.API))
	case a.Anomaly:
		return 1
	default:
		return -1
	}
}

// suspect is what ABS last answered about one token.
type suspect struct {
	attacks, anomalies int64 // the totals of the summary
	findings           []finding
	answered           time.Time
}

func (s *suspect) attacked() bool {
	return slices.ContainsFunc(s.findings, func(f finding) bool { return !f.Anomaly })
}

// attacks knows which tokens are under what. A failed call changes nothing here.
type attacks struct {
	target    string
	maxTokens int
	// suspects are the tokens with findings, and the listed ones that were asked about.
	suspects   map[tokenid.ID]*suspect
	detections map[finding]*ledger.Counter // a pair once seen stays
	ended      map[endedFinding]exposure   // whose series are still exposed, at 0
	births     ledger.Births
	catalogue  *catalogue.Catalogue

	shownUnderAttack int // tokens, as the gauges last told
}

func newAttacks(target string, maxTokens int, hold time.Duration, types *catalogue.Catalogue) *attacks {
	return &attacks{
		target: target, maxTokens: maxTokens, catalogue: types,
		suspects:   map[tokenid.ID]*suspect{},
		detections: map[finding]*ledger.Counter{},
		ended:      map[endedFinding]exposure{},
		births:     ledger.Births{Hold: hold},
	}
}

// answer takes ABS's answer about a token and gives what has begun and ended by it.
func (a *attacks) answer(id tokenid.ID, f abs.Forensics, window abs.Window, at time.Time, listed bool) []metrics.Event {
	found := append(findings(f.AttackTypes, false), findings(f.AnomalyTypes, true)...)
	s := a.suspects[id]
	if s == nil {
		s = &suspect{}
	}
	events := a.changes(id, s.findings, found, window, at)
	*s = suspect{attacks: f.Attacks, anomalies: f.Anomalies, findings: found, answered: at}
	if len(found) == 0 && !listed {
		delete(a.suspects, id)
		return events
	}
	a.suspects[id] = s
	return events
}

func findings(told []abs.Finding, anomaly bool) []finding {
	var all []finding
	for _, t := range told {
		for _, api := range t.APIs {
			all = append(all, finding{anomaly, t.Type, api})
		}
		if len(t.APIs) == 0 {
			all = append(all, finding{anomaly, t.Type, ""})
		}
	}
	return sortFindings(all)
}

func sortFindings(all []finding) []finding {
	slices.SortFunc(all, compareFindings)
	return slices.Compact(all)
}

// changes counts what is new and tells what has begun and ended, one event a type.
func (a *attacks) changes(id tokenid.ID, before, now []finding, window abs.Window, at time.Time) []metrics.Event {
	var events []metrics.Event
	tell := func(f finding, began bool) {
		if n := len(events); n > 0 && events[n-1].Began == began && events[n-1].Anomaly == f.Anomaly && events[n-1].Type == f.Type {
			events[n-1].APIs = append(events[n-1].APIs, f.API)
			return
		}
		entry, _ := a.catalogue.Lookup(f.Type)
		events = append(events, metrics.Event{
			At: at, Target: a.target, Began: began, Anomaly: f.Anomaly, Token: id.String(),
			Type: f.Type, Severity: entry.Severity, APIs: []string{f.API}, WindowFrom: window.From, WindowTo: window.To,
		})
	}
	for _, f := range now {
		if slices.Contains(before, f) {
			continue
		}
		if a.detections[f] == nil {
			a.detections[f] = &ledger.Counter{}
		}
		a.detections[f].Value++
		delete(a.ended, endedFinding{id, f})
		tell(f, true)
	}
	for _, f := range before {
		if !slices.Contains(now, f) {
			a.ended[endedFinding{id, f}] = exposure{}
			tell(f, false)
		}
	}
	return events
}

// hinted takes all attacks that ABS tells of for one API, or across them, and gives what
// has begun and ended by it.
func (a *attacks) hinted(api string, found map[tokenid.ID][]finding, window abs.Window, at time.Time) []metrics.Event {
	for id := range a.suspects {
		if _, ok := found[id]; !ok {
			found[id] = nil
		}
	}
	var events []metrics.Event
	for _, id := range sortedIDs(found) {
		s := a.suspects[id]
		if s == nil {
			s = &suspect{}
		}
		all := found[id]
		for _, f := range s.findings {
			if f.API != api {
				all = append(all, f)
			}
		}
		all = sortFindings(all)
		events = append(events, a.changes(id, s.findings, all, window, at)...)
		a.suspects[id] = &suspect{attacks: int64(len(all)), findings: all, answered: at}
		if len(all) == 0 {
			delete(a.suspects, id)
		}
	}
	return events
}

// gone ends what is under way on a token that the window no longer holds.
func (a *attacks) gone(id tokenid.ID, at time.Time) []metrics.Event {
	s := a.suspects[id]
	if s == nil {
		return nil
	}
	delete(a.suspects, id)
	return a.changes(id, s.findings, nil, abs.Window{}, at)
}

// underAttack are the tokens with an attack, for whom the ledger keeps places first.
func (a *attacks) underAttack() map[tokenid.ID]struct{} {
	ids := map[tokenid.ID]struct{}{}
	for id, s := range a.suspects {
		if s.attacked() {
			ids[id] = struct{}{}
		}
	}
	return ids
}

// stageCounters gives the detection counters as they will be served from now on.
func (a *attacks) stageCounters(now time.Time) []metrics.Block {
	attacks := metrics.Block{Family: metrics.AttackDetections}
	anomalies := metrics.Block{Family: metrics.AnomalyDetections}
	for _, f := range slices.SortedFunc(maps.Keys(a.detections), compareFindings) {
		block := &attacks
		if f.Anomaly {
			block = &anomalies
		}
		block.Samples = append(block.Samples, a.births.Sample(a.detections[f], now, block.Family, a.target, f.Type, f.API))
	}
	return []metrics.Block{attacks, anomalies}
}

// stageGauges gives what is under way, as far as it was told within limit. cycle is when the first
// commit of this cycle was made.
func (a *attacks) stageGauges(g *gauges, now, cycle time.Time, limit time.Duration) []metrics.Block {
	var (
		attackTotals  = metrics.Block{Family: metrics.TokenAttackTypes}
		anomalyTotals = metrics.Block{Family: metrics.TokenAnomalyTypes}
		attackSeries  = metrics.Block{Family: metrics.TokenAttackActive}
		anomalySeries = metrics.Block{Family: metrics.TokenAnomalyActive}
		tokens        = map[finding]int64{}
		underAttack   int64
		shown         int // tokens that have series, at most maxTokens
	)
	for f := range a.detections {
		tokens[f] = 0
	}
	for _, id := range a.byImportance() {
		s := a.suspects[id]
		if now.Sub(s.answered) > limit {
			continue
		}
		if s.attacked() {
			underAttack++
		}
		for _, f := range s.findings {
			tokens[f]++
		}
		if shown++; shown > a.maxTokens {
			continue
		}
		attackTotals.Samples = append(attackTotals.Samples, g.ofToken(metrics.TokenAttackTypes, s.attacks, id))
		anomalyTotals.Samples = append(anomalyTotals.Samples, g.ofToken(metrics.TokenAnomalyTypes, s.anomalies, id))
		for _, f := range s.findings {
			block := &attackSeries
			if f.Anomaly {
				block = &anomalySeries
			}
			block.Samples = append(block.Samples, g.ofToken(block.Family, 1, id, f.Type, f.API))
		}
	}
	a.stageEnded(g, now, cycle, &attackSeries, &anomalySeries)
	a.shownUnderAttack = int(underAttack)
	blocks := append(a.countGauges(g, tokens), g.block(metrics.FlaggedTokens, underAttack), a.typeInfo(g))
	if a.maxTokens == 0 {
		return blocks
	}
	return append(blocks, attackTotals, anomalyTotals, attackSeries, anomalySeries)
}

// countGauges says how many tokens there are to each type and API.
func (a *attacks) countGauges(g *gauges, tokens map[finding]int64) []metrics.Block {
	attacks := metrics.Block{Family: metrics.AttackTokens}
	anomalies := metrics.Block{Family: metrics.AnomalyTokens}
	for _, f := range slices.SortedFunc(maps.Keys(tokens), compareFindings) {
		block := &attacks
		if f.Anomaly {
			block = &anomalies
		}
		block.Samples = append(block.Samples, g.sample(block.Family, tokens[f], f.Type, f.API))
	}
	return []metrics.Block{attacks, anomalies}
}

// typeInfo says of every type that a series names what the catalogue knows of it.
func (a *attacks) typeInfo(g *gauges) metrics.Block {
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
		info.Samples = append(info.Samples, g.sample(info.Family, 1, name, id, entry.Category, entry.Severity))
	}
	return info
}

// byImportance orders the tokens for their series: under attack first, then those with
// anomalies, then by id, so that the choice does not change from cycle to cycle.
func (a *attacks) byImportance() []tokenid.ID {
	var byRank [3][]tokenid.ID
	for id, s := range a.suspects {
		rank := 2
		switch {
		case s.attacked():
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

// forget drops the tokens that are neither suspect nor listed any more.
func (a *attacks) forget(isTracked func(tokenid.ID) bool) {
	maps.DeleteFunc(a.suspects, func(id tokenid.ID, s *suspect) bool {
		return len(s.findings) == 0 && !isTracked(id)
	})
}

func sortedIDs[V any](m map[tokenid.ID]V) []tokenid.ID { return slices.Sorted(maps.Keys(m)) }
