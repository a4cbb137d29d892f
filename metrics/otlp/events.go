package otlp

import (
	"context"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otellog "go.opentelemetry.io/otel/log"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// Event pushes one log record of an attack or anomaly that begins or ends. It never waits.
func (p *Pusher) Event(e metrics.Event) {
	if p.queue != nil {
		p.events.Emit(context.Background(), record(e, p.Now()))
	}
}

// record has the event name abs.attack.began, abs.attack.ended, abs.anomaly.began or
// abs.anomaly.ended, and attributes with the names of the metrics' labels and of the process's own
// log, so that one search finds all three.
func record(e metrics.Event, observed time.Time) otellog.Record {
	change := "ended"
	if e.Began {
		change = "began"
	}
	// OpenTelemetry's levels are those of slog, counted from 9 for an info.
	level := otellog.Severity(int(e.Level()) + int(otellog.SeverityInfo))
	apis := make([]string, len(e.APIs))
	for i, api := range e.APIs {
		apis[i] = valid(api)
	}
	var r otellog.Record
	r.SetTimestamp(e.At)
	r.SetObservedTimestamp(observed)
	r.SetEventName("abs." + e.Kind() + "." + change)
	r.SetSeverity(level)
	r.SetSeverityText(level.String())
	r.SetBody(attribute.StringValue(valid(e.String())))
	r.AddAttributes(
		attribute.String("target", valid(e.Target)), attribute.String("token", e.Token),
		attribute.String(e.Kind()+"_type", valid(e.Type)), attribute.String("severity", valid(e.Severity)),
		attribute.StringSlice("apis", apis),
	)
	for name, value := range e.Labels.All() {
		r.AddAttributes(attribute.String(name, value))
	}
	if e.MoreAPIs > 0 {
		r.AddAttributes(attribute.Int("more_apis", e.MoreAPIs))
	}
	if !e.WindowTo.IsZero() {
		r.AddAttributes(attribute.String("window_from", e.WindowFrom.UTC().Format(time.RFC3339)))
		r.AddAttributes(attribute.String("window_to", e.WindowTo.UTC().Format(time.RFC3339)))
	}
	return r
}

// valid bounds a text, and replaces invalid UTF-8, on which the encoding of a whole request fails.
func valid(s string) string { return strings.ToValidUTF8(s[:min(len(s), 16<<10)], "\uFFFD") }
