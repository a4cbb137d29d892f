package logging

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
)

// No character of a value moves a terminal or begins a line: the text of a log has printable ones
// only.
func TestLogTextIsPrintable(t *testing.T) {
	for r := rune(0); r < 0x3000; r++ {
		var out strings.Builder
		value := "a" + string(r) + "b"
		New(config.Log{Level: "info", Format: "logfmt"}, &out).With("with", value).
			Warn("report failed", "text", value, "err", errors.New(value), "apis", []string{value}, "in", slog.GroupValue(slog.String("group", value)))
		line := strings.TrimSuffix(out.String(), "\n")
		if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%U: %q", r, line)
		}
	}
}

// No value of a log line has more than 1 kB, in either format and whatever it is; short ones stay
// what they are.
func TestLogValuesAreBounded(t *testing.T) {
	long := strings.Repeat("ä", 1<<19)
	for _, format := range []string{"logfmt", "json"} {
		var out strings.Builder
		log := New(config.Log{Level: "info", Format: format}, &out)
		log.With("with", long).WithGroup("group").Warn("report failed"+long, //nolint:sloglint // to be cut
			"text", long, "err", errors.New(long), "apis", []string{"a", long}, "in", slog.GroupValue(slog.String("group", long)))
		if line := out.String(); len(line) > 8<<10 || len(line) < 6<<10 || !utf8.ValidString(line) || !strings.Contains(line, "ä…") {
			t.Errorf("%s: a line of %d bytes", format, len(line))
		}
		out.Reset()
		log.Warn("report failed", "err", errors.New("the body is empty"), "apis", []string{"shop", "bank"}, "n", 7)
		line := out.String()
		for _, want := range []string{"the body is empty", "shop", "bank", "7", "bounded_test.go"} {
			if !strings.Contains(line, want) {
				t.Errorf("%s: %q is not in %s", format, want, line)
			}
		}
		if format == "json" && !json.Valid([]byte(line)) {
			t.Errorf("%s is no JSON", line)
		}
	}
}
