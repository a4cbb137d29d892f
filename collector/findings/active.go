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

// answer is what ABS last answered about one token.
type answer struct {
	at                        time.Time
	attackTypes, anomalyTypes int64 // the totals of the summary
	findings                  []Finding
	ended                     []ended
	gone                      bool // the window no longer holds the token, or no report names it
	series                    answerSeries
}

// ended is a finding that is over and exposed as 0 for one cycle, so that an alert sees its end at
// once, scraped or pushed.
type ended struct {
	Finding
	exposed time.Time // when it was first exposed as 0; zero: not yet
}

func (a *answer) flagged() bool {
	return slices.ContainsFunc(a.findings, func(f Finding) bool { return !f.Anomaly })
}

// active holds the tokens that have findings, and the tracked ones that were asked about. A failed
// call changes nothing here.
type active struct {
	target    string
	maxTokens int
	zeroFor   time.Duration
	catalogue *catalogue.Catalogue

	tokens     map[tokenid.ID]*answer
	detections map[Finding]*metrics.Count // a pair stays once it was seen
	zeroInit   metrics.ZeroInit

	exposedFlagged int // tokens, as the gauges last showed
}

func newActive(c Config) *active {
	return &active{
		target: c.Target, maxTokens: c.MaxTokens, zeroFor: c.ZeroFor, catalogue: c.Catalogue,
		tokens:     map[tokenid.ID]*answer{},
		detections: map[Finding]*metrics.Count{},
		zeroInit:   metrics.ZeroInit{Hold: c.ZeroFor},
	}
}

// lastFinding returns when a token with findings was last answered, and false for a token without.
func (a *active) lastFinding(id tokenid.ID) (answered time.Time, ok bool) {
	s := a.tokens[id]
	if s == nil || len(s.findings) == 0 {
		return time.Time{}, false
	}
	return s.at, true
}

// flagged returns the tokens with an active attack.
func (a *active) flagged() map[tokenid.ID]struct{} {
	ids := map[tokenid.ID]struct{}{}
	for id, s := range a.tokens {
		if s.flagged() {
			ids[id] = struct{}{}
		}
	}
	return ids
}

// answered records ABS's answer about a token and returns what began and ended by it.
func (a *active) answered(id tokenid.ID, report abs.Forensics, window abs.Window, at time.Time) []metrics.Event {
	return a.replace(id, &answer{
		at: at, attackTypes: report.Attacks, anomalyTypes: report.Anomalies, findings: findingsOf(report),
	}, window)
}

// reportedFor records all attacks of an attack report, which covers one API or those across APIs,
// and returns what began and ended by it.
func (a *active) reportedFor(api string, found map[tokenid.ID][]Finding, window abs.Window, at time.Time) []metrics.Event {
	for id := range a.tokens {
		if _, ok := found[id]; !ok {
			found[id] = nil
		}
	}
	var events []metrics.Event
	for _, id := range sortedIDs(found) {
		all := found[id]
		if before := a.tokens[id]; before != nil {
			for _, f := range before.findings {
				if f.API != api {
					all = append(all, f)
				}
			}
		}
		all = sortFindings(all)
		events = append(events, a.replace(id, &answer{at: at, attackTypes: int64(len(all)), findings: all, gone: len(all) == 0}, window)...)
	}
	return events
}

// left ends the findings of a token that the window no longer holds.
func (a *active) left(id tokenid.ID, at time.Time) []metrics.Event {
	return a.replace(id, &answer{at: at, gone: true}, abs.Window{})
}

// replace makes an answer the token's last one and returns what began and ended by it, one event a
// type.
func (a *active) replace(id tokenid.ID, next *answer, window abs.Window) []metrics.Event {
	before := a.tokens[id]
	if before == nil {
		before = &answer{}
	}
	next.series = before.series
	next.ended = slices.DeleteFunc(before.ended, func(e ended) bool { return slices.Contains(next.findings, e.Finding) })
	var events []metrics.Event
	add := func(f Finding, began bool) {
		if n := len(events); n > 0 && events[n-1].Began == began && events[n-1].Anomaly == f.Anomaly && events[n-1].Type == f.Type {
			events[n-1].APIs = append(events[n-1].APIs, f.API)
			return
		}
		entry, _ := a.catalogue.Lookup(f.Type)
		events = append(events, metrics.Event{
			At: next.at, Target: a.target, Began: began, Anomaly: f.Anomaly, Token: id.String(),
			Type: f.Type, Severity: entry.Severity, APIs: []string{f.API}, WindowFrom: window.From, WindowTo: window.To,
		})
	}
	for _, f := range next.findings {
		if slices.Contains(before.findings, f) {
			continue
		}
		if a.detections[f] == nil {
			a.detections[f] = &metrics.Count{}
		}
		a.detections[f].Value++
		add(f, true)
	}
	for _, f := range before.findings {
		if !slices.Contains(next.findings, f) {
			next.ended = append(next.ended, ended{Finding: f})
			add(f, false)
		}
	}
	a.tokens[id] = next
	return events
}

// forget drops the tokens with nothing to expose: no finding, none that just ended, and no series
// of their own.
func (a *active) forget(tracked func(tokenid.ID) bool) {
	maps.DeleteFunc(a.tokens, func(id tokenid.ID, s *answer) bool {
		return len(s.findings) == 0 && len(s.ended) == 0 && (s.gone || !tracked(id))
	})
}
