package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/metrics"
)

//go:embed status.html.tmpl
var statusHTML string

//go:embed status.css
var statusCSS string

// States of slots, as collector.SlotStatus has them.
const (
	slotOpen    = "open"
	slotPending = "pending"
	slotSettled = "settled"
	slotMissed  = "missed"
)

// statusPage is what the template shows.
type statusPage struct {
	CSS                                template.CSS
	Build                              metrics.Build
	Started, Now                       pageTime
	Refresh                            int // seconds
	MetricsLink, HealthLink, ReadyLink string
	Down                               int // targets
	Targets                            []statusTarget
}

type statusTarget struct {
	collector.Status
	State, StateSign string
	Cycled           bool
	LastCycle        pageTime
	Took             string
	Next             *pageTime // nil: not known
	Listed, Attacked int64
	Slots            []statusSlot
	Legend           []statusSlot
	Forensics        statusForensics
	Errors           []statusError
	Saved            *pageTime // nil: never
}

type statusSlot struct {
	Class, Sign, Title    string
	State, Meaning, Count string // of the legend
}

type statusForensics struct {
	Enabled                              bool
	Total, Due, Covered, Failed, Skipped int
	Oldest                               string
}

type statusError struct {
	At   pageTime
	What string
}

// pageTime is a time for people and, beside it, for machines.
type pageTime struct{ Human, Machine string }

// status answers /: it is made from what the collector committed last, for each
// request anew.
func (p *pages) status(w http.ResponseWriter, _ *http.Request) {
	var body bytes.Buffer
	if err := statusTemplate().Execute(&body, p.statusPage()); err != nil {
		http.Error(w, "the status page cannot be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = body.WriteTo(w) // who asked is gone: nobody to tell
}

// statusTemplate is parsed for each page: it is small, and people ask seldom.
func statusTemplate() *template.Template {
	return template.Must(template.New("status").Funcs(template.FuncMap{
		"number":   number,
		"number64": func(n int) string { return number(int64(n)) },
		"known":    known,
	}).Parse(statusHTML))
}

func (p *pages) statusPage() statusPage {
	now := p.clock.Now()
	page := statusPage{
		CSS:     template.CSS(statusCSS), //nolint:gosec // the project's own file
		Build:   p.build,
		Started: p.time(p.started, now),
		Now:     pageTime{now.UTC().Format("2006-01-02 15:04:05 MST"), now.UTC().Format(time.RFC3339)},
		Refresh: int(min(max(p.refresh, 5*time.Second), time.Minute) / time.Second),
		// Relative, so that they hold behind a proxy that serves this under a prefix.
		MetricsLink: strings.TrimPrefix(p.telemetryPath, "/"),
		HealthLink:  strings.TrimPrefix(healthPath, "/"),
		ReadyLink:   strings.TrimPrefix(readyPath, "/"),
	}
	for _, s := range p.collector.Status() {
		t := p.statusTarget(s, now)
		if t.State == "down" {
			page.Down++
		}
		page.Targets = append(page.Targets, t)
	}
	return page
}

func (p *pages) statusTarget(s collector.Status, now time.Time) statusTarget {
	t := statusTarget{
		Status:   s,
		Cycled:   !s.LastCycle.IsZero(),
		Listed:   int64(s.TrackedTokens),
		Attacked: int64(s.UnderAttack),
	}
	switch {
	case !t.Cycled:
		t.State, t.StateSign = "waiting", "…"
	case s.Up:
		t.State, t.StateSign = "up", "✓"
	default:
		t.State, t.StateSign = "down", "✗"
	}
	if t.Cycled {
		t.LastCycle = p.time(s.LastCycle, now)
		t.Took = span(s.LastCycleDuration)
	}
	t.Next = p.maybe(s.NextCycle, now)
	t.Saved = p.maybe(s.StateSaved, now)
	t.Slots, t.Legend = statusSlots(s.Slots)
	f := s.Forensics
	t.Forensics = statusForensics{
		Enabled: f.Enabled, Total: f.Due + f.Covered + f.Failed + f.Skipped,
		Due: f.Due, Covered: f.Covered, Failed: f.Failed, Skipped: f.Skipped,
	}
	if f.OldestAge > 0 {
		t.Forensics.Oldest = span(f.OldestAge)
	}
	for _, e := range s.Errors {
		t.Errors = append(t.Errors, statusError{p.time(e.At, now), e.What})
	}
	return t
}

// slotMeanings are the states of slots in the order of the legend. The signs tell them
// apart where colours don't.
func slotMeanings() []statusSlot {
	return []statusSlot{
		{Class: slotSettled, State: slotSettled, Meaning: "read for the last time, counted"},
		{Class: slotOpen, State: slotOpen, Meaning: "read again, late requests are still counted"},
		{Class: slotPending, State: slotPending, Meaning: "to be made up"},
		{Class: slotMissed, State: slotMissed, Sign: "×", Meaning: "too far back, lost"},
	}
}

// statusSlots makes the strip and its legend, which tells of the states that occur.
func statusSlots(slots []collector.SlotStatus) (strip, legend []statusSlot) {
	counts := map[string]int64{}
	for _, s := range slots {
		counts[s.State]++
		box := statusSlot{Class: s.State, Title: slotTitle(s)}
		for _, m := range slotMeanings() {
			if m.State == s.State {
				box.Sign = m.Sign
			}
		}
		strip = append(strip, box)
	}
	for _, m := range slotMeanings() {
		if counts[m.State] > 0 {
			m.Count = number(counts[m.State])
			legend = append(legend, m)
		}
	}
	return strip, legend
}

func slotTitle(s collector.SlotStatus) string {
	to := s.To.Format("15:04 MST")
	if s.From.YearDay() != s.To.YearDay() {
		to = s.To.Format("2006-01-02 15:04 MST")
	}
	title := fmt.Sprintf("%s: %s to %s, %s requests", s.State, s.From.Format("2006-01-02 15:04"), to, number(s.Requests))
	if !s.LastRead.IsZero() {
		title += ", last read " + s.LastRead.Format("15:04:05")
	}
	return title
}

// time says how long ago or how far ahead t is, and when in UTC.
func (p *pages) time(t, now time.Time) pageTime {
	utc := t.UTC()
	human := utc.Format("15:04:05 MST")
	if utc.Format(time.DateOnly) != now.UTC().Format(time.DateOnly) {
		human = utc.Format("2006-01-02 15:04:05 MST")
	}
	switch d := now.Sub(t); {
	case d >= time.Second:
		human += " (" + span(d) + " ago)"
	case d <= -time.Second:
		human += " (in " + span(-d) + ")"
	}
	return pageTime{human, utc.Format(time.RFC3339)}
}

func (p *pages) maybe(t, now time.Time) *pageTime {
	if t.IsZero() {
		return nil
	}
	pt := p.time(t, now)
	return &pt
}

// span is a duration as people say it, to two places at most.
func span(d time.Duration) string {
	days, d := d/(24*time.Hour), d%(24*time.Hour)
	switch {
	case days > 0:
		return fmt.Sprintf("%d d %d h", days, d/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d >= 10*time.Second:
		return fmt.Sprintf("%d s", d/time.Second)
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	default:
		return fmt.Sprintf("%d ms", d/time.Millisecond)
	}
}

// number puts a comma between each three digits.
func number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// known is a number that may not be known: -1.
func known(n int64) string {
	if n < 0 {
		return "unknown"
	}
	return number(n)
}
