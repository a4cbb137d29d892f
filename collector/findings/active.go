package findings

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// What is remembered of findings. What is reported beyond is only counted, in
// abs_exporter_findings_overflow_total.
const (
	maxTokens = 100_000
	// maxFindings bounds the findings of all tokens together beyond the first two of each.
	maxFindings = 200_000
	firstOfEach = 2
)

// token is what ABS last reported of one token.
type token struct {
	answered                  time.Time   // by forensics; zero: never, or the token has left the window
	attackTypes, anomalyTypes int64       // the totals of the last forensics summary
	absent                    bool        // the last complete window report lacked the token
	findings                  []sightings // in the order of compareFindings
	ended                     []ended     // maxTokenPairs at most
	series                    tokenSeries
}

// ended is a finding that is over and exposed as 0 for one cycle, so that an alert sees its end at
// once, scraped or pushed.
type ended struct {
	Finding
	exposed time.Time // when it was first exposed as 0; zero: not yet
}

func (t *token) search(f Finding) (int, bool) {
	return slices.BinarySearchFunc(t.findings, f, func(s sightings, f Finding) int { return compareFindings(s.Finding, f) })
}

func (t *token) find(f Finding) *sightings {
	if i, ok := t.search(f); ok {
		return &t.findings[i]
	}
	return nil
}

// activeFindings returns them in the order of compareFindings.
func (t *token) activeFindings() []Finding {
	var all []Finding
	for i := range t.findings {
		if t.findings[i].active() {
			all = append(all, t.findings[i].Finding)
		}
	}
	return all
}

func (t *token) flagged() bool {
	return slices.ContainsFunc(t.findings, func(s sightings) bool { return s.active() && !s.Anomaly })
}

// active holds the tokens that have findings, and the tracked ones that were asked about. A failed
// call changes nothing here.
type active struct {
	target    string
	maxSeries int           // tokens with series of their own
	zeroFor   time.Duration // how long a finding that ended is exposed as 0
	expireFor time.Duration // how long a pair that ended keeps its series

	tokens     map[tokenid.ID]*token
	pairs      pairs
	remembered int           // findings of all tokens
	overflow   metrics.Count // findings that share metrics.Other, or are not remembered
	zeroInit   metrics.ZeroInit
}

func newActive(c Config) *active {
	return &active{
		target: c.Target, maxSeries: c.MaxTokens, zeroFor: c.ZeroFor, expireFor: c.Expire,
		tokens:   map[tokenid.ID]*token{},
		pairs:    newPairs(c.Catalogue),
		zeroInit: metrics.ZeroInit{ZeroFor: c.ZeroFor},
	}
}

// lastFinding returns when a token with findings was last answered, and false for a token without.
func (a *active) lastFinding(id tokenid.ID) (answered time.Time, ok bool) {
	t := a.tokens[id]
	if t == nil || !slices.ContainsFunc(t.findings, func(s sightings) bool { return s.active() }) {
		return time.Time{}, false
	}
	return t.answered, true
}

// flagged returns the tokens with an active attack.
func (a *active) flagged() map[tokenid.ID]struct{} {
	ids := map[tokenid.ID]struct{}{}
	for id, t := range a.tokens {
		if t.flagged() {
			ids[id] = struct{}{}
		}
	}
	return ids
}

// FlaggedToken is a token with an active attack, for the status.
type FlaggedToken struct {
	ID    tokenid.ID
	Types []string  // of its active attacks, sorted
	Since time.Time // when the first of them became active
}

// maxShown is how many flagged tokens the status has.
const maxShown = 100

// flaggedTokens returns the tokens that are flagged longest, maxShown at most.
func (a *active) flaggedTokens() []FlaggedToken {
	var all []FlaggedToken
	for id, t := range a.tokens {
		if !t.flagged() {
			continue
		}
		one := FlaggedToken{ID: id}
		for i := range t.findings {
			f := &t.findings[i]
			if f.Anomaly || !f.active() {
				continue
			}
			if !slices.Contains(one.Types, f.Type) {
				one.Types = append(one.Types, f.Type)
			}
			if one.Since.IsZero() || f.Began.Before(one.Since) {
				one.Since = f.Began
			}
		}
		slices.Sort(one.Types)
		all = append(all, one)
	}
	slices.SortFunc(all, func(x, y FlaggedToken) int { return cmp.Or(x.Since.Compare(y.Since), cmp.Compare(x.ID, y.ID)) })
	return slices.Clone(all[:min(len(all), maxShown)])
}

// token returns the record of a token, a new one if there is none; nil if there is no room for it.
func (a *active) token(id tokenid.ID) *token {
	t := a.tokens[id]
	if t == nil && len(a.tokens) < max(maxTokens, a.maxSeries) {
		t = &token{}
		a.tokens[id] = t
	}
	return t
}

// answered records a forensics report about a token. A partial one, whose window may not be the one
// that was asked for, ends nothing. It returns what began and ended, and whether the token is to be
// asked about again in the next cycle.
func (a *active) answered(
	id tokenid.ID, report abs.Forensics, window abs.Window, partial bool, at time.Time,
) (events []metrics.Event, again bool) {
	t := a.token(id)
	reported := a.findingsOf(report)
	if t == nil {
		for _, r := range reported {
			a.overflow.Value += int64(len(r.apis))
		}
		return nil, false
	}
	before := t.activeFindings()
	t.answered, t.attackTypes, t.anomalyTypes, t.absent = at, report.Attacks, report.Anomalies, false
	has := map[Finding]bool{}
	for _, r := range reported {
		for _, api := range r.apis {
			f := a.resolve(t, r.anomaly, r.typeName, api)
			if s := a.sightings(t, f); s != nil && !has[f] {
				s.inForensics(at)
			}
			has[f] = true
		}
	}
	for i := range t.findings {
		if s := &t.findings[i]; !has[s.Finding] && !partial {
			s.lackedByForensics(window.To)
			again = again || s.active()
		}
	}
	return a.changed(id, t, before, window, at), again
}

// resolve returns the finding by which a reported one of a token has series.
func (a *active) resolve(t *token, anomaly bool, name *typeName, api string) Finding {
	f, folded := a.pairs.resolve(anomaly, name, metrics.LabelValue(api), func(f Finding) bool { return t.find(f) != nil })
	if folded {
		a.overflow.Value++
	}
	return f
}

// sightings returns the sightings of a finding, new ones if there are none; nil if there is no room
// for them.
func (a *active) sightings(t *token, f Finding) *sightings {
	i, ok := t.search(f)
	if !ok {
		if len(t.findings) >= firstOfEach && a.remembered >= maxFindings {
			a.overflow.Value++
			return nil
		}
		a.remembered++
		t.findings = slices.Insert(t.findings, i, sightings{Finding: f})
	}
	return &t.findings[i]
}

// attackReport collects the flagged tokens of one attack report, which covers one API or those
// across APIs.
type attackReport struct {
	*active
	api     string
	found   map[tokenid.ID][]entry
	types   map[string]*typeName // by the type that was reported
	entries int
	cut     bool // some were left out
}

// entry is what an attack report has of a token.
type entry struct {
	typ        *typeName
	lastAccess time.Time
}

func (a *active) beginAttackReport(api string) *attackReport {
	return &attackReport{active: a, api: metrics.LabelValue(api), found: map[tokenid.ID][]entry{}, types: map[string]*typeName{}}
}

// add records an entry. It returns true if the entry is new, so that forensics should be asked
// about the token.
func (r *attackReport) add(id tokenid.ID, attackType string, lastAccess time.Time) (isNew bool) {
	has, ok := r.found[id]
	switch t := r.tokens[id]; {
	case !ok && t == nil && len(r.tokens)+len(r.found) >= max(maxTokens, r.maxSeries):
		r.overflow.Value++
		return false
	case len(has) >= firstOfEach && r.entries >= maxFindings, len(has) >= maxPairs:
		r.overflow.Value++
		r.cut = true
		return false
	}
	name := r.named(attackType)
	r.entries++
	r.found[id] = append(has, entry{name, lastAccess})
	t := r.tokens[id]
	if t == nil {
		return true
	}
	s := t.find(Finding{Type: name.name, API: r.api})
	if s == nil {
		s = t.find(Finding{Type: name.name, API: metrics.Other})
	}
	return s == nil || s.Reported.IsZero() || lastAccess.After(s.LastAccess)
}

// named is pairs.named, remembered for the types of this report, as far as they are not too many.
func (r *attackReport) named(attackType string) *typeName {
	name := r.types[attackType]
	if name == nil {
		name = r.pairs.named(attackType)
		if len(r.types) < maxPairs && len(attackType) <= metrics.MaxLabelValue {
			r.types[attackType] = name
		}
	}
	return name
}

// done records the report once it was read to its end. It returns what began and ended, and whether
// the report is to be read again in the next cycle.
func (r *attackReport) done(window abs.Window, partial bool, at time.Time) (events []metrics.Event, again bool) {
	partial = partial || r.cut
	for id, t := range r.tokens {
		for i := range t.findings {
			if s := &t.findings[i]; s.API == r.api && !s.Reported.IsZero() && r.found[id] == nil {
				r.found[id] = []entry{}
			}
		}
	}
	for _, id := range sortedIDs(r.found) {
		t := r.token(id)
		before := t.activeFindings()
		has := map[Finding]bool{}
		entries := r.found[id]
		slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Compare(a.typ.rank, b.typ.rank) })
		for _, e := range entries {
			f := r.resolve(t, false, e.typ, r.api)
			if s := r.sightings(t, f); s != nil {
				s.inAttackReport(at, e.lastAccess)
			}
			has[f] = true
		}
		for i := range t.findings {
			if s := &t.findings[i]; s.API == r.api && !s.Reported.IsZero() && !has[s.Finding] && !partial {
				s.lackedByAttackReport()
				again = again || !s.Reported.IsZero()
			}
		}
		events = append(events, r.changed(id, t, before, window, at)...)
	}
	return events, again
}

// absent records that a complete window report lacks a token: the second in a row ends all of its
// findings, whatever source has them.
func (a *active) absent(id tokenid.ID, at time.Time) []metrics.Event {
	t := a.tokens[id]
	if !t.absent {
		t.absent = true
		return nil
	}
	before := t.activeFindings()
	t.answered = time.Time{}
	for i := range t.findings {
		s := &t.findings[i]
		s.Forensics, s.Refuted = time.Time{}, true
	}
	return a.changed(id, t, before, abs.Window{}, at)
}

// expire ends the findings that no answer since has had.
func (a *active) expire(since, at time.Time) []metrics.Event {
	var events []metrics.Event
	for _, id := range sortedIDs(a.tokens) {
		t := a.tokens[id]
		before := t.activeFindings()
		for i := range t.findings {
			t.findings[i].expire(since)
		}
		if t.answered.Before(since) {
			t.answered = time.Time{}
		}
		if len(before) > 0 {
			events = append(events, a.changed(id, t, before, abs.Window{}, at)...)
		}
	}
	return events
}

// changed forgets what is no more, counts what began, and returns what began and ended, one event a
// type, the most severe first.
func (a *active) changed(id tokenid.ID, t *token, before []Finding, window abs.Window, at time.Time) []metrics.Event {
	kept := len(t.findings)
	t.findings = slices.DeleteFunc(t.findings, func(s sightings) bool { return !s.kept() })
	a.remembered -= kept - len(t.findings)
	now := t.activeFindings()
	isIn := func(all []Finding, f Finding) bool {
		_, ok := slices.BinarySearchFunc(all, f, compareFindings)
		return ok
	}
	t.ended = slices.DeleteFunc(t.ended, func(e ended) bool { return isIn(now, e.Finding) })
	var events []metrics.Event
	add := func(f Finding, began bool) {
		if n := len(events); n > 0 && events[n-1].Began == began && events[n-1].Anomaly == f.Anomaly && events[n-1].Type == f.Type {
			if e := &events[n-1]; len(e.APIs) < maxTokenPairs {
				e.APIs = append(e.APIs, f.API)
			} else {
				e.MoreAPIs++
			}
			return
		}
		entry, _ := a.pairs.catalogue.Lookup(f.Type)
		events = append(events, metrics.Event{
			At: at, Target: a.target, Began: began, Anomaly: f.Anomaly, Token: id.String(),
			Type: f.Type, Severity: entry.Severity, APIs: []string{f.API}, WindowFrom: window.From, WindowTo: window.To,
		})
	}
	for _, f := range now {
		if isIn(before, f) {
			continue
		}
		p := a.pairs.add(f, a.pairs.named(f.Type))
		p.detections.Value++
		p.staged, p.published = false, false
		t.find(f).Began = at
		add(f, true)
	}
	for _, f := range before {
		if !isIn(now, f) {
			if s := t.find(f); s != nil { // only refuted
				s.Began = time.Time{}
			}
			if len(t.ended) < maxTokenPairs {
				t.ended = append(t.ended, ended{Finding: f})
			}
			add(f, false)
		}
	}
	slices.SortStableFunc(events, func(a, b metrics.Event) int { return cmp.Compare(rankOf(a.Severity), rankOf(b.Severity)) })
	return events
}

// forget drops the tokens with nothing to expose: no finding, none that just ended, and no series
// of their own.
func (a *active) forget(tracked func(tokenid.ID) bool) {
	maps.DeleteFunc(a.tokens, func(id tokenid.ID, t *token) bool {
		return len(t.findings) == 0 && len(t.ended) == 0 && (t.answered.IsZero() || !tracked(id))
	})
}
