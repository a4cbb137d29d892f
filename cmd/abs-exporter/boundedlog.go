package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// maxLogValue is how many bytes a value of a log line has at most, before it is quoted: names that
// ABS reports may be a megabyte long.
const maxLogValue = 1024

// boundedLog cuts the values of log lines, and their messages.
type boundedLog struct{ slog.Handler }

// Handle implements slog.Handler.
func (h boundedLog) Handle(ctx context.Context, r slog.Record) error {
	bounded := slog.NewRecord(r.Time, r.Level, cutText(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		bounded.AddAttrs(cutAttr(a))
		return true
	})
	return h.Handler.Handle(ctx, bounded)
}

// WithAttrs implements slog.Handler.
func (h boundedLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	bounded := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		bounded[i] = cutAttr(a)
	}
	return boundedLog{h.Handler.WithAttrs(bounded)}
}

// WithGroup implements slog.Handler.
func (h boundedLog) WithGroup(name string) slog.Handler { return boundedLog{h.Handler.WithGroup(name)} }

func cutAttr(a slog.Attr) slog.Attr {
	a.Value = a.Value.Resolve()
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(cutText(a.Value.String()))
	case slog.KindAny:
		if text := fmt.Sprint(a.Value.Any()); len(text) > maxLogValue {
			a.Value = slog.StringValue(cutText(text))
		}
	case slog.KindGroup:
		var bounded []slog.Attr
		for _, of := range a.Value.Group() {
			bounded = append(bounded, cutAttr(of))
		}
		a.Value = slog.GroupValue(bounded...)
	default: // numbers and times
	}
	return a
}

// cutText cuts a text before the character that would not fit.
func cutText(text string) string {
	const ellipsis = "…"
	if len(text) <= maxLogValue {
		return text
	}
	return strings.ToValidUTF8(text[:maxLogValue-len(ellipsis)], "") + ellipsis
}
