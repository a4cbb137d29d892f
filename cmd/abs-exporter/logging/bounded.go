package logging

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// maxLogValue is how many bytes a value of a log line has at most, before it is quoted: names that
// ABS reports may be a megabyte long.
const maxLogValue = 1024

// bounded cuts the values of log lines, and their messages.
type bounded struct{ slog.Handler }

// Handle implements slog.Handler.
func (h bounded) Handle(ctx context.Context, r slog.Record) error {
	cut := slog.NewRecord(r.Time, r.Level, cutText(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		cut.AddAttrs(cutAttr(a))
		return true
	})
	return h.Handler.Handle(ctx, cut)
}

// WithAttrs implements slog.Handler.
func (h bounded) WithAttrs(attrs []slog.Attr) slog.Handler {
	cut := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		cut[i] = cutAttr(a)
	}
	return bounded{h.Handler.WithAttrs(cut)}
}

// WithGroup implements slog.Handler.
func (h bounded) WithGroup(name string) slog.Handler { return bounded{h.Handler.WithGroup(name)} }

func cutAttr(a slog.Attr) slog.Attr {
	a.Value = a.Value.Resolve()
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(cutText(a.Value.String()))
	case slog.KindAny:
		text := fmt.Sprint(a.Value.Any())
		if cut := cutText(text); cut != text {
			a.Value = slog.StringValue(cut)
		}
	case slog.KindGroup:
		var cut []slog.Attr
		for _, of := range a.Value.Group() {
			cut = append(cut, cutAttr(of))
		}
		a.Value = slog.GroupValue(cut...)
	default: // numbers and times
	}
	return a
}

// cutText cuts a text before the character that would not fit, and escapes the one control
// character that slog's text leaves as it is.
func cutText(text string) string {
	const ellipsis = "…"
	text = strings.ReplaceAll(text, "\x7f", `\x7f`)
	if len(text) <= maxLogValue {
		return text
	}
	return strings.ToValidUTF8(text[:maxLogValue-len(ellipsis)], "") + ellipsis
}
