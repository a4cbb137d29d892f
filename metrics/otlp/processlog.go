package otlp

import (
	"context"
	"log/slog"
	"slices"
)

// LogHandler logs to next, and pushes the same records, if the configuration says so.
func (p *Pusher) LogHandler(next slog.Handler) slog.Handler {
	if p.queue == nil || !p.config.ProcessLog {
		return next
	}
	return &logHandler{next: next, pusher: p}
}

// logHandler makes log records of the process's own log.
type logHandler struct {
	next   slog.Handler
	pusher *Pusher
	attrs  []slog.Attr // their keys have their groups before them
	group  string      // of what follows, with its dot
}

// Enabled implements slog.Handler.
func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *logHandler) Handle(ctx context.Context, record slog.Record) error {
	r := newRecord(record.Time, h.pusher.now(), severityOf(record.Level), "", record.Message)
	for _, a := range h.attrs {
		r.attr("", a)
	}
	record.Attrs(func(a slog.Attr) bool {
		r.attr(h.group, a)
		return true
	})
	h.pusher.queue.add(r, true)
	return h.next.Handle(ctx, record)
}

// WithAttrs implements slog.Handler.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.next, c.attrs = h.next.WithAttrs(attrs), slices.Clone(h.attrs)
	for _, a := range attrs {
		a.Key = h.group + a.Key
		c.attrs = append(c.attrs, a)
	}
	return &c
}

// WithGroup implements slog.Handler.
func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	c := *h
	c.next, c.group = h.next.WithGroup(name), h.group+name+"."
	return &c
}

func severityOf(l slog.Level) int {
	switch {
	case l >= slog.LevelError:
		return severityError
	case l >= slog.LevelWarn:
		return severityWarn
	case l >= slog.LevelInfo:
		return severityInfo
	default:
		return severityDebug
	}
}

func (r *record) attr(group string, a slog.Attr) {
	key, v := group+a.Key, a.Value.Resolve()
	switch v.Kind() {
	case slog.KindGroup:
		if a.Key != "" {
			group = key + "."
		}
		for _, member := range v.Group() {
			r.attr(group, member)
		}
	case slog.KindInt64:
		r.whole(key, v.Int64())
	case slog.KindFloat64:
		r.number(key, v.Float64())
	case slog.KindBool:
		r.flag(key, v.Bool())
	case slog.KindAny:
		if list, ok := v.Any().([]string); ok {
			r.list(key, list)
			return
		}
		if err, ok := v.Any().(error); ok {
			r.text(key, err.Error())
			return
		}
		r.text(key, v.String())
	default: // times and durations too, as the text of a log has them
		r.text(key, v.String())
	}
}
