package findings

import (
	"strings"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/findings/catalogue"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// The limits of pairs of a type and an API, for each target (rule 6).
const (
	// maxPairs is how many pairs have an API of their own. Past it metrics.Other takes its place.
	maxPairs = 1000
	// maxUnknown is how many types that the catalogue lacks have pairs with metrics.Other in place of
	// an API. Past it metrics.Other takes the place of the type, too. Those of the catalogue always
	// have theirs.
	maxUnknown = 100
	// maxTokenPairs is how many pairs of a token have series with its id, the most severe first.
	maxTokenPairs = 20
)

// pair is a type on an API that has series: its detections, and how many tokens have it.
type pair struct {
	detections metrics.Count
	rank       int
	ended      time.Time // when no token had it any more; zero: one has it
	staged     bool      // all of its detections are, and published: exposed
	published  bool
}

// pairs holds the pairs of a target, and the spelling of each type that its series have: reports
// differ in it.
type pairs struct {
	catalogue *catalogue.Catalogue
	all       map[Finding]*pair
	types     map[string]*typeName // by catalogue.Key
	detailed  int                  // pairs with an API of their own
	unknown   int                  // types that the catalogue lacks with a pair without
}

// typeName is a type of attack or anomaly as its series have it.
type typeName struct {
	key, name string
	known     bool // to the catalogue
	rank      int
	pairs     int
}

func newPairs(c *catalogue.Catalogue) pairs {
	return pairs{catalogue: c, all: map[Finding]*pair{}, types: map[string]*typeName{}}
}

// The ranks of types: the lower, the sooner they get series and are remembered.
const (
	rankUnknown = 3
	rankAnomaly = 4 // is added for an anomaly
	ranks       = 2 * rankAnomaly
)

func rankOf(severity string) int {
	switch severity {
	case catalogue.Critical:
		return 0
	case catalogue.Warning:
		return 1
	case catalogue.Info:
		return 2
	default:
		return rankUnknown
	}
}

// rank returns that of a finding.
func (p *pairs) rank(f Finding) int {
	if has := p.all[f]; has != nil {
		return has.rank
	}
	r := p.named(f.Type).rank
	if f.Anomaly {
		r += rankAnomaly
	}
	return r
}

// named returns the name of a type for its series: the one that is in use, or the one that a report
// has, cut.
func (p *pairs) named(reported string) *typeName {
	entry, known := p.catalogue.Lookup(reported)
	name := metrics.LabelValue(reported)
	if len(name) < len(reported) {
		name = strings.Clone(name) // the rest is not to be kept
		if known {
			name = entry.Name
		}
	}
	key := p.catalogue.Key(name)
	if used := p.types[key]; used != nil {
		return used
	}
	return &typeName{key: key, name: name, known: known, rank: rankOf(entry.Severity)}
}

// current returns the name of a type as it is in use by now.
func (p *pairs) current(t *typeName) *typeName {
	if used := p.types[t.key]; used != nil {
		return used
	}
	return t
}

// resolve returns the finding by which a reported one has series, and adds its pair. has reports
// whether the token has a finding already, which stays what it is. folded says that metrics.Other
// took the place of the API, or of the type too.
func (p *pairs) resolve(anomaly bool, t *typeName, api string, has func(Finding) bool) (f Finding, folded bool) {
	t = p.current(t)
	f = Finding{anomaly, t.name, api}
	withoutAPI, without := Finding{anomaly, t.name, metrics.Other}, Finding{anomaly, metrics.Other, metrics.Other}
	switch {
	case has(f):
		return f, false
	case has(withoutAPI):
		return withoutAPI, true
	case !t.known && has(without):
		return without, true
	case p.all[f] != nil || api != metrics.Other && p.detailed < maxPairs:
		f.API = strings.Clone(api) // a part of a long one, perhaps
		p.add(f, t)
		return f, false
	case t.known || p.all[withoutAPI] != nil || p.unknown < maxUnknown:
		p.add(withoutAPI, t)
		return withoutAPI, true
	default:
		p.add(without, p.named(metrics.Other))
		return without, true
	}
}

// add returns the pair of a finding, a new one if there is none.
func (p *pairs) add(f Finding, t *typeName) *pair {
	has := p.all[f]
	if has != nil {
		return has
	}
	t = p.current(t)
	has = &pair{rank: t.rank, published: true}
	if f.Anomaly {
		has.rank += rankAnomaly
	}
	p.all[f] = has
	p.types[t.key] = t
	t.pairs++
	switch {
	case f.API != metrics.Other:
		p.detailed++
	case !t.known:
		p.unknown++
	}
	return has
}

// remove ends the series of a pair.
func (p *pairs) remove(f Finding) {
	t := p.named(f.Type)
	delete(p.all, f)
	if t.pairs--; t.pairs == 0 {
		delete(p.types, t.key)
	}
	switch {
	case f.API != metrics.Other:
		p.detailed--
	case !t.known:
		p.unknown--
	}
}

// expire ends the series of the pairs that no token had for so long, and of which all was exposed.
// inUse has what tokens have, or had until just now.
func (p *pairs) expire(active map[Finding]int64, inUse map[Finding]struct{}, now time.Time, long time.Duration) {
	for f, has := range p.all {
		_, used := inUse[f]
		switch {
		case active[f] > 0:
			has.ended = time.Time{}
		case has.ended.IsZero() || has.ended.After(now):
			has.ended = now
		case !used && has.published && now.Sub(has.ended) >= long:
			p.remove(f)
		}
	}
}
