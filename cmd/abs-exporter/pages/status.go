package pages

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/metrics"
)

//go:embed status.html.tmpl
var statusHTML string

//go:embed status.css
var statusCSS string

// statusPage is what the template shows.
type statusPage struct {
	CSS                                template.CSS
	Build                              metrics.Build
	Started                            time.Time
	Now                                pageTime
	Refresh                            int // seconds
	MetricsLink, HealthLink, ReadyLink string
	RunbooksLink                       string
	ConfigLink, StatusLink             string
	Down                               int // targets
	Targets                            []statusTarget
	Settings                           []config.Effective
}

type statusTarget struct {
	collector.Status
	State, Sign     string
	Slots, Legend   []statusSlot
	ForensicsTokens int // in all states
	Zone            string
	LocalTime       string        // in that zone
	WindowEnd       string        // the value of --abs.window-end
	NextDue         bool          // the next cycle begins right now
	OldestAge       time.Duration // of the oldest forensics report in use; 0: unknown
}

type statusSlot struct {
	State       ledger.SlotState
	Sign, Title string
	Meaning     string // in the legend
	Count       int    // in the legend
}

// pageTime is a time for people and for machines.
type pageTime struct{ Human, Machine string }

// status answers / with what the collector committed last.
func (p *Pages) status(w http.ResponseWriter, _ *http.Request) {
	now := p.Now()
	// Parsed for each request: it is small, and people look seldom.
	writePage(w, template.Must(template.New("status").Funcs(template.FuncMap{
		"at":       func(t time.Time) pageTime { return relativeTime(t, now) },
		"duration": roundedDuration,
		"number":   number,
		"known":    known,
	}).Parse(statusHTML)), p.statusPage(now))
}

// writePage answers with a page for people. It needs no script, so none may run, and nothing of it
// is loaded from elsewhere.
func writePage(w http.ResponseWriter, page *template.Template, data any) {
	var body bytes.Buffer
	if err := page.Execute(&body, data); err != nil {
		http.Error(w, "the page cannot be rendered: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = body.WriteTo(w) // an error means that the client is gone
}

func (p *Pages) statusPage(now time.Time) statusPage {
	settings := p.Settings()
	page := statusPage{
		CSS:     template.CSS(statusCSS), //nolint:gosec // the project's own file
		Build:   p.Build,
		Started: p.Started,
		Now:     pageTime{now.UTC().Format("2006-01-02 15:04:05 MST"), now.UTC().Format(time.RFC3339)},
		Refresh: int(min(max(shortestInterval(settings), 5*time.Second), time.Minute) / time.Second),
		// Relative, so that they work behind a proxy that serves the page under a prefix.
		MetricsLink:  strings.TrimPrefix(p.TelemetryPath, "/"),
		HealthLink:   strings.TrimPrefix(config.HealthPath, "/"),
		ReadyLink:    strings.TrimPrefix(config.ReadyPath, "/"),
		RunbooksLink: strings.TrimPrefix(config.RunbooksPath, "/"),
		ConfigLink:   strings.TrimPrefix(config.ConfigPath, "/"),
		StatusLink:   strings.TrimPrefix(config.StatusPath, "/"),
	}
	page.Settings = settings.Effective
	for _, s := range p.Collector.Status() {
		f := s.Forensics
		t := statusTarget{
			Status: s, ForensicsTokens: f.Due + f.Covered + f.Failed + f.Skipped,
			WindowEnd: "exclusive", NextDue: !s.NextCycle.After(now),
		}
		if !f.Oldest.IsZero() {
			t.OldestAge = now.Sub(f.Oldest)
		}
		if s.Inclusive {
			t.WindowEnd = "inclusive"
		}
		if s.Location != nil {
			t.Zone, t.LocalTime = s.Location.String(), now.In(s.Location).Format("2006-01-02 15:04 -07:00")
		}
		t.Slots, t.Legend = statusSlots(s.Slots)
		switch {
		case s.LastCycle.IsZero():
			t.State, t.Sign = "waiting", "…"
		case s.Up:
			t.State, t.Sign = "up", "✓"
		default:
			t.State, t.Sign = "down", "✗"
			page.Down++
		}
		page.Targets = append(page.Targets, t)
	}
	return page
}

// shortestInterval returns the shortest time between two cycles of a target.
func shortestInterval(s *config.Settings) time.Duration {
	shortest := s.Shared.Collect.Interval
	for i, t := range s.Targets {
		if i == 0 || t.Collect.Interval < shortest {
			shortest = t.Collect.Interval
		}
	}
	return shortest
}

// statusSlots returns the strip of slots and its legend, which has the states that occur. Signs
// distinguish the states where colours do not.
func statusSlots(slots []collector.SlotStatus) (strip, legend []statusSlot) {
	legend = []statusSlot{
		{State: ledger.Settled, Meaning: "read for the last time, counted"},
		{State: ledger.Open, Meaning: "read again, late requests are still counted"},
		{State: ledger.Pending, Meaning: "not read yet"},
		{State: ledger.Unproven, Sign: "?", Meaning: "read, but nothing later came to prove it"},
		{State: ledger.Missed, Sign: "×", Meaning: "too far back, lost"},
	}
	for _, s := range slots {
		box := statusSlot{State: s.State, Title: slotTitle(s)}
		if i := slices.IndexFunc(legend, func(l statusSlot) bool { return l.State == s.State }); i >= 0 {
			legend[i].Count++
			box.Sign = legend[i].Sign
		}
		strip = append(strip, box)
	}
	return strip, slices.DeleteFunc(legend, func(l statusSlot) bool { return l.Count == 0 })
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

// relativeTime returns t in UTC, and how long before or after now it is.
func relativeTime(t, now time.Time) pageTime {
	utc := t.UTC()
	human := utc.Format("15:04:05 MST")
	if utc.Format(time.DateOnly) != now.UTC().Format(time.DateOnly) {
		human = utc.Format("2006-01-02 15:04:05 MST")
	}
	switch d := now.Sub(t); {
	case d >= time.Second:
		human += " (" + roundedDuration(d) + " ago)"
	case d <= -time.Second:
		human += " (in " + roundedDuration(-d) + ")"
	}
	return pageTime{human, utc.Format(time.RFC3339)}
}

// roundedDuration formats a duration for people, in at most two units.
func roundedDuration(d time.Duration) string {
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

// number formats an integer with a comma between each three digits.
func number(n any) string {
	digits := fmt.Sprint(n)
	first := strings.LastIndex(digits, "-") + 1 // after the sign
	for i := len(digits) - 3; i > first; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// known formats a number that is -1 where it is not known.
func known(n int64) string {
	if n < 0 {
		return "unknown"
	}
	return number(n)
}
