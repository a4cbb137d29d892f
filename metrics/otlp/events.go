package otlp

import (
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// Names of events, as in the EventName of their log records.
const (
	EventAttackBegan  = "abs.attack.began"
	EventAttackEnded  = "abs.attack.ended"
	EventAnomalyBegan = "abs.anomaly.began"
	EventAnomalyEnded = "abs.anomaly.ended"
)

// Numbers of severities, from the OpenTelemetry data model of logs.
const (
	severityDebug = 5
	severityInfo  = 9
	severityWarn  = 13
	severityError = 17
)

// Event pushes one log record of an attack or anomaly that begins or ends. It never waits.
func (p *Pusher) Event(e metrics.Event) {
	if p.queue != nil {
		p.queue.add(encodeEvent(e, p.now()), false)
	}
}

// encodeEvent is the LogRecord of an event. Its attributes have the names of the metrics' labels and of the process's own
// log, so that one search finds all three.
func encodeEvent(e metrics.Event, observed time.Time) record {
	what, name := "attack", EventAttackEnded
	switch {
	case e.Anomaly && e.Began:
		what, name = "anomaly", EventAnomalyBegan
	case e.Anomaly:
		what, name = "anomaly", EventAnomalyEnded
	case e.Began:
		name = EventAttackBegan
	}
	// What is over needs nobody's attention, however bad it was; the attribute severity still says how bad.
	number := severityInfo
	if e.Began {
		switch e.Severity {
		case "critical":
			number = severityError
		case "info":
		default: // warning, and a type that the catalogue does not know
			number = severityWarn
		}
	}
	r := newRecord(e.At, observed, number, name, eventText(e, what))
	r.text("target", e.Target)
	r.text("token", e.Token)
	r.text(what+"_type", e.Type)
	r.list("apis", e.APIs)
	r.text("severity", e.Severity)
	if !e.WindowTo.IsZero() {
		r.text("window_from", e.WindowFrom.UTC().Format(time.RFC3339))
		r.text("window_to", e.WindowTo.UTC().Format(time.RFC3339))
	}
	return r
}

// eventText is the event for a person.
func eventText(e metrics.Event, what string) string {
	var b strings.Builder
	b.WriteString(strings.ToUpper(what[:1]) + what[1:])
	if e.Began {
		b.WriteString(" began: ")
	} else {
		b.WriteString(" ended: ")
	}
	b.WriteString(e.Type)
	if apis := strings.Join(e.APIs, ", "); apis != "" {
		b.WriteString(" on " + apis)
	}
	b.WriteString(", token id " + e.Token + ", target " + e.Target)
	if e.Severity != "" {
		b.WriteString(" (" + e.Severity + ")")
	}
	return b.String()
}

// record is a LogRecord in the making.
type record []byte

func newRecord(at, observed time.Time, severity int, event, body string) record {
	var r record
	r = appendFixed64(r, fieldLogTime, nanoseconds(at))
	r = appendVarint(r, fieldLogSeverity, uint64(severity))
	r = appendString(r, fieldLogSeverityText, severityText(severity))
	body = bounded(body)
	r = appendHead(r, fieldLogBody, stringSize(body))
	r = appendString(r, fieldStringValue, body)
	r = appendFixed64(r, fieldLogObserved, nanoseconds(observed))
	if event != "" {
		r = appendString(r, fieldLogEventName, event)
	}
	return r
}

func severityText(number int) string {
	switch {
	case number >= severityError:
		return "ERROR"
	case number >= severityWarn:
		return "WARN"
	case number >= severityInfo:
		return "INFO"
	default:
		return "DEBUG"
	}
}

// bounded makes text valid and keeps one value from filling the queue.
func bounded(s string) string {
	if len(s) > largestText {
		s = s[:largestText]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func (r *record) text(key, value string) {
	*r = appendStringAttribute(*r, fieldLogAttributes, key, bounded(value))
}

// value appends an attribute whose AnyValue is encoded already.
func (r *record) value(key string, value []byte) {
	*r = appendHead(*r, fieldLogAttributes, stringSize(key)+messageSize(len(value)))
	*r = appendString(*r, fieldKey, key)
	*r = appendMessage(*r, fieldValue, value)
}

func (r *record) list(key string, values []string) {
	var array []byte
	for _, v := range values {
		v = bounded(v)
		array = appendHead(array, fieldArrayValues, stringSize(v))
		array = appendString(array, fieldStringValue, v)
	}
	r.value(key, appendMessage(nil, fieldArrayValue, array))
}

func (r *record) whole(key string, v int64) {
	value := protowire.AppendTag(nil, fieldIntValue, protowire.VarintType)
	r.value(key, protowire.AppendVarint(value, uint64(v)))
}

func (r *record) number(key string, v float64) { r.value(key, appendDouble(nil, fieldDoubleValue, v)) }

func (r *record) flag(key string, v bool) {
	n := uint64(0)
	if v {
		n = 1
	}
	r.value(key, appendVarint(nil, fieldBoolValue, n))
}
