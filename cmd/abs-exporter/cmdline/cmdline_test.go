package cmdline

import (
	"testing"
	"time"
)

func TestSuggestion(t *testing.T) {
	words := []string{"serve", "check", "collect.interval", "audit.interval", "web.listen-address", "abs.access-key-file", "state.dir"}
	for word, want := range map[string]string{
		"server": "; did you mean serve?", "chekc": "; did you mean check?", "cehck": "; did you mean check?",
		"colect.interval": "; did you mean collect.interval?", "interval": "; did you mean audit.interval or collect.interval?",
		"listen-addrss": "; did you mean web.listen-address?", "abs.access-key": "; did you mean abs.access-key-file?",
		"nope": "", "": "", "serve": "", "x": "", "state.nope": "", "collect.": "",
	} {
		if got := Suggestion(word, words); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestDurations(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1h30m": 90 * time.Minute, "7d": 7 * day, "1w": 7 * day, "1w2d12h": 9*day + 12*time.Hour,
		"0d": 0, "1d500ms": day + 500*time.Millisecond, "-5m": -5 * time.Minute, "106751d": 106751 * day,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%q: %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "1", "1d2", "2d1w", "1d-2h", "1d+2h", "-1d", "1.5d", "1d0.5h", "1d d", "106752d", "99999999999999999999w", "106751d24h", "1w\n"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q is parsed as %s", text, got)
		}
	}
}
