package findings

import (
	"maps"
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/findings/catalogue"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// maxTokens bounds how many tokens with findings are remembered. What is reported of others is only
// counted, in abs_exporter_findings_overflow_total.
const maxTokens = 100_000

// token is what ABS last reported of one token.
type token struct {
	answered                  time.Time // by forensics; zero: never, or the token has left the window
	attackTypes, anomalyTypes int64     // the totals of the last forensics summary
	absent                    bool      // the last complete window report lacked the token
	findings                  []sightings
	ended                     []ended
	series                    tokenSeries
}

// ended is a finding that is over and exposed as 0 for one cycle, so that an alert sees its end at
// once, scraped or pushed.
type ended struct {
	Finding
	exposed time.Time // when it was first exposed as 0; zero: not yet
}

func (t *token) find(f Finding) *sightings {
	for i := range t.findings {
		if t.findings[i].Finding == f {
			return &t.findings[i]
		}
	}
	return nil
}

func (t *token) activeFindings() []Finding {
	var all []Finding
	for i := range t.findings {
		if t.findings[i].active() {
			all = append(all, t.findings[i].Finding)
		}
	}
	slices.SortFunc(all, compareFindings)
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
	catalogue *catalogue.Catalogue

	tokens     map[tokenid.ID]*token
	detections map[Finding]*metrics.Count // a pair stays once it was seen
	spellings  map[string]string          // of types: from the catalogue's key to the first one used
	overflow   metrics.Count              // findings of tokens that are not remembered
	zeroInit   metrics.ZeroInit
}

func newActive(c Config) *active {
	return &active{
		target: c.Target, maxSeries: c.MaxTokens, zeroFor: c.ZeroFor, catalogue: c.Catalogue,
		tokens:     map[tokenid.ID]*token{},
		detections: map[Finding]*metrics.Count{},
		spellings:  map[string]string{},
		zeroInit:   metrics.ZeroInit{ZeroFor: c.ZeroFor},
	}
}

// spelling returns the spelling of a type that its series have: reports differ in it.
func (a *active) spelling(attackType string) string {
	key := a.catalogue.Key(attackType)
	if used, ok := a.spellings[key]; ok {
		return used
	}
	a.spellings[key] = attackType
	return attackType
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
	reported := findingsOf(report)
	if t == nil {
		a.overflow.Value += int64(len(reported))
		return nil, false
	}
	before := t.activeFindings()
	t.answered, t.attackTypes, t.anomalyTypes, t.absent = at, report.Attacks, report.Anomalies, false
	has := map[Finding]bool{}
	for _, r := range reported {
		r.Type = a.spelling(r.Type)
		has[r.Finding] = true
		t.sightings(r.Finding).inForensics(at)
	}
	for i := range t.findings {
		if s := &t.findings[i]; !has[s.Finding] && !partial {
			s.lackedByForensics(window.To)
			again = again || s.active()
		}
	}
	return a.changed(id, t, before, window, at), again
}

// sightings returns the sightings of a finding, new ones if there are none.
func (t *token) sightings(f Finding) *sightings {
	if s := t.find(f); s != nil {
		return s
	}
	t.findings = append(t.findings, sightings{Finding: f})
	return &t.findings[len(t.findings)-1]
}

// attackReport collects the flagged tokens of one attack report, which covers one API or those
// across APIs.
type attackReport struct {
	*active
	api   string
	found map[tokenid.ID][]reportedFinding
}

func (a *active) beginAttackReport(api string) *attackReport {
	return &attackReport{active: a, api: api, found: map[tokenid.ID][]reportedFinding{}}
}

// add records an entry. It returns true if the entry is new, so that forensics should be asked
// about the token.
func (r *attackReport) add(id tokenid.ID, attackType string, lastAccess time.Time) (isNew bool) {
	f := reportedFinding{Finding{Type: r.spelling(attackType), API: r.api}, lastAccess}
	if _, ok := r.found[id]; !ok && r.tokens[id] == nil && len(r.tokens)+len(r.found) >= max(maxTokens, r.maxSeries) {
		r.overflow.Value++
		return false
	}
	r.found[id] = append(r.found[id], f)
	if t := r.tokens[id]; t != nil {
		s := t.find(f.Finding)
		return s == nil || s.Reported.IsZero() || lastAccess.After(s.LastAccess)
	}
	return true
}

// done records the report once it was read to its end. It returns what began and ended, and whether
// the report is to be read again in the next cycle.
func (r *attackReport) done(window abs.Window, partial bool, at time.Time) (events []metrics.Event, again bool) {
	for id, t := range r.tokens {
		for i := range t.findings {
			if s := &t.findings[i]; s.API == r.api && !s.Reported.IsZero() && r.found[id] == nil {
				r.found[id] = []reportedFinding{}
			}
		}
	}
	for _, id := range sortedIDs(r.found) {
		t := r.token(id)
		before := t.activeFindings()
		has := map[Finding]bool{}
		for _, f := range r.found[id] {
			has[f.Finding] = true
			t.sightings(f.Finding).inAttackReport(at, f.lastAccess)
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
// type.
func (a *active) changed(id tokenid.ID, t *token, before []Finding, window abs.Window, at time.Time) []metrics.Event {
	t.findings = slices.DeleteFunc(t.findings, func(s sightings) bool { return !s.kept() })
	now := t.activeFindings()
	t.ended = slices.DeleteFunc(t.ended, func(e ended) bool { return slices.Contains(now, e.Finding) })
	var events []metrics.Event
	add := func(f Finding, began bool) {
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
			a.detections[f] = &metrics.Count{}
		}
		a.detections[f].Value++
		t.find(f).Began = at
		add(f, true)
	}
	for _, f := range before {
		if !slices.Contains(now, f) {
			if s := t.find(f); s != nil { // only refuted
				s.Began = time.Time{}
			}
			t.ended = append(t.ended, ended{Finding: f})
			add(f, false)
		}
	}
	return events
}

// forget drops the tokens with nothing to expose: no finding, none that just ended, and no series
// of their own.
func (a *active) forget(tracked func(tokenid.ID) bool) {
	maps.DeleteFunc(a.tokens, func(id tokenid.ID, t *token) bool {
		return len(t.findings) == 0 && len(t.ended) == 0 && (t.answered.IsZero() || !tracked(id))
	})
}
