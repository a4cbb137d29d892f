package metrics

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// Event is the begin or the end of an attack or anomaly from one token: all APIs that one report of
// ABS named for one type.
type Event struct {
	At      time.Time
	Target  string
	Labels  *OwnLabels // of the target
	Began   bool       // else it ended
	Anomaly bool
	Token   string // the token id
	Type    string // as ABS spells it
	// Severity is the exporter's, not ABS's: docs/attack-types.md.
	Severity string
	APIs     []string
	MoreAPIs int // beside these, as a list may be very long
	// WindowFrom and WindowTo are the window that the report covered; zero where the token has left
	// the window.
	WindowFrom, WindowTo time.Time
}

// Kind returns "attack" or "anomaly".
func (e Event) Kind() string {
	if e.Anomaly {
		return "anomaly"
	}
	return "attack"
}

// String returns the event as a sentence without a period. It may be invalid UTF-8, as ABS's names
// may.
func (e Event) String() string {
	change := " ended: "
	if e.Began {
		change = " began: "
	}
	text := strings.ToUpper(e.Kind()[:1]) + e.Kind()[1:] + change + e.Type
	if len(e.APIs) > 0 {
		text += " on " + strings.Join(e.APIs, ", ")
	}
	if e.MoreAPIs > 0 {
		text += " and " + strconv.Itoa(e.MoreAPIs) + " more"
	}
	text += ", token id " + e.Token + ", target " + e.Target
	if e.Severity != "" {
		text += " (" + e.Severity + ")"
	}
	return text
}

// Level returns how much the event matters: what ends is an info; what begins is as severe as its
// type, and a warning if nobody knows how severe that is.
func (e Event) Level() slog.Level {
	switch {
	case !e.Began, e.Severity == "info":
		return slog.LevelInfo
	case e.Severity == "critical":
		return slog.LevelError
	default:
		return slog.LevelWarn
	}
}

// Log writes the event as one log line, for analysts to search for.
func (e Event) Log(l *slog.Logger) {
	args := []any{"token", e.Token, e.Kind() + "_type", e.Type, "apis", e.APIs, "severity", e.Severity}
	if e.MoreAPIs > 0 {
		args = append(args, "more_apis", e.MoreAPIs)
	}
	if !e.WindowTo.IsZero() {
		args = append(args, "window_from", e.WindowFrom.UTC(), "window_to", e.WindowTo.UTC())
	}
	change := " ended"
	if e.Began {
		change = " began"
	}
	l.Log(context.Background(), e.Level(), e.Kind()+change, args...) //nolint:sloglint // one of four constants
}
