package otlp

import (
	"errors"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/metrics"
)

func TestEventRecords(t *testing.T) {
	from, to := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC), time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		event            metrics.Event
		name, body, text string
		severity         uint64
		attributes       map[string]string
	}{
		{
			metrics.Event{At: born, Target: "shop", Began: true, Token: "0123456789abcdef", Type: "Some Attack", Severity: "critical", APIs: []string{"a", "b"}, WindowFrom: from, WindowTo: to},
			EventAttackBegan, "Attack began: Some Attack on a, b, token id 0123456789abcdef, target shop (critical)", "ERROR", severityError,
			map[string]string{
				"target": "shop", "token": "0123456789abcdef", "attack_type": "Some Attack", "apis": "[a b]", "severity": "critical",
				"window_from": "2026-11-01T09:00:00Z", "window_to": "2026-11-01T12:00:00Z",
			},
		},
		{
			metrics.Event{At: born, Target: "shop", Token: "f", Type: "Some Attack", Severity: "critical"},
			EventAttackEnded, "Attack ended: Some Attack, token id f, target shop (critical)", "INFO", severityInfo,
			map[string]string{"target": "shop", "token": "f", "attack_type": "Some Attack", "apis": "[]", "severity": "critical"},
		},
		{
			metrics.Event{At: born, Target: "shop", Began: true, Anomaly: true, Token: "f", Type: "X\xff", Severity: "unknown", APIs: []string{"all"}},
			EventAnomalyBegan, "Anomaly began: X\uFFFD on all, token id f, target shop (unknown)", "WARN", severityWarn,
			map[string]string{"target": "shop", "token": "f", "anomaly_type": "X\uFFFD", "apis": "[all]", "severity": "unknown"},
		},
		{
			metrics.Event{At: born, Target: "shop", Anomaly: true, Token: "f", Type: "X", Severity: "info", APIs: []string{"all"}},
			EventAnomalyEnded, "Anomaly ended: X on all, token id f, target shop (info)", "INFO", severityInfo,
			map[string]string{"target": "shop", "token": "f", "anomaly_type": "X", "apis": "[all]", "severity": "info"},
		},
	} {
		r := encodeEvent(tc.event, born.Add(time.Second))
		if got := string(first(t, r, fieldLogEventName).bytes); got != tc.name {
			t.Errorf("event name %q, want %q", got, tc.name)
		}
		if got := anyText(t, first(t, r, fieldLogBody).bytes); got != tc.body {
			t.Errorf("body %q\nwant %q", got, tc.body)
		}
		if got := first(t, r, fieldLogSeverity).value; got != tc.severity || string(first(t, r, fieldLogSeverityText).bytes) != tc.text {
			t.Errorf("%s: severity %d", tc.body, got)
		}
		if got := attributes(t, r, fieldLogAttributes); !maps.Equal(got, tc.attributes) {
			t.Errorf("attributes %v\nwant %v", got, tc.attributes)
		}
		if first(t, r, fieldLogTime).value != nanoseconds(born) || first(t, r, fieldLogObserved).value != nanoseconds(born.Add(time.Second)) {
			t.Error("the times are others")
		}
	}
}

func TestProcessLog(t *testing.T) {
	r := newRig(t, Settings{ProcessLog: true})
	var text strings.Builder
	log := slog.New(r.LogHandler(slog.NewTextHandler(&text, nil))).With("target", "shop").WithGroup("g").With("n", 1)
	log.Debug("not logged")
	log.Warn("it failed", "err", errors.New("why"), "ok", true, "list", []string{"a", "b"}, slog.Group("in", "f", 1.5), "d", time.Second)
	if len(r.queue.records) != 1 || !strings.Contains(text.String(), "it failed") {
		t.Fatalf("%d records; the log says %s", len(r.queue.records), text.String())
	}
	record := r.queue.records[0].record
	want := map[string]string{"target": "shop", "g.n": "1", "g.err": "why", "g.ok": "true", "g.list": "[a b]", "g.in.f": "1.5", "g.d": "1s"}
	if got := attributes(t, record, fieldLogAttributes); !maps.Equal(got, want) {
		t.Errorf("attributes %v\nwant %v", got, want)
	}
	if first(t, record, fieldLogSeverity).value != severityWarn {
		t.Error("severity")
	}
	plain := slog.NewTextHandler(&text, nil)
	if newRig(t, Settings{}).LogHandler(plain) != slog.Handler(plain) {
		t.Error("the process's log is pushed unasked")
	}
}
