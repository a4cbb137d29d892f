package otlp

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otellog "go.opentelemetry.io/otel/log"

	"github.com/abs-exporter/abs-exporter/metrics"
)

func TestEventRecords(t *testing.T) {
	from, to := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC), time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		event            metrics.Event
		name, body, text string
		severity         otellog.Severity
		attributes       map[string]string
	}{
		{
			metrics.Event{At: created, Target: "shop", Began: true, Token: "0123456789abcdef", Type: "Some Attack", Severity: "critical", APIs: []string{"a", "b"}, WindowFrom: from, WindowTo: to},
			"abs.attack.began", "Attack began: Some Attack on a, b, token id 0123456789abcdef, target shop (critical)", "ERROR", otellog.SeverityError,
			map[string]string{
				"target": "shop", "token": "0123456789abcdef", "attack_type": "Some Attack", "apis": "[a b]", "severity": "critical",
				"window_from": "2026-11-01T09:00:00Z", "window_to": "2026-11-01T12:00:00Z",
			},
		},
		{
			metrics.Event{At: created, Target: "shop", Token: "f", Type: "Some Attack", Severity: "critical", Labels: metrics.NewOwnLabels(map[string]string{"env": "prod"})},
			"abs.attack.ended", "Attack ended: Some Attack, token id f, target shop (critical)", "INFO", otellog.SeverityInfo,
			map[string]string{"target": "shop", "token": "f", "attack_type": "Some Attack", "apis": "[]", "severity": "critical", "env": "prod"},
		},
		{
			metrics.Event{At: created, Target: "shop", Began: true, Anomaly: true, Token: "f", Type: "X\xff", Severity: "unknown", APIs: []string{"all"}},
			"abs.anomaly.began", "Anomaly began: X\uFFFD on all, token id f, target shop (unknown)", "WARN", otellog.SeverityWarn,
			map[string]string{"target": "shop", "token": "f", "anomaly_type": "X\uFFFD", "apis": "[all]", "severity": "unknown"},
		},
		{
			metrics.Event{At: created, Target: "shop", Anomaly: true, Token: "f", Type: "X", Severity: "info", APIs: []string{"all"}},
			"abs.anomaly.ended", "Anomaly ended: X on all, token id f, target shop (info)", "INFO", otellog.SeverityInfo,
			map[string]string{"target": "shop", "token": "f", "anomaly_type": "X", "apis": "[all]", "severity": "info"},
		},
	} {
		r := record(tc.event, created.Add(time.Second))
		if r.EventName() != tc.name || r.Body().AsString() != tc.body || r.Severity() != tc.severity || r.SeverityText() != tc.text {
			t.Errorf("%q, %q, %v %s\nwant %q, %q, %v %s", r.EventName(), r.Body().AsString(), r.Severity(), r.SeverityText(), tc.name, tc.body, tc.severity, tc.text)
		}
		got := map[string]string{}
		r.WalkAttributes(func(kv attribute.KeyValue) bool {
			got[string(kv.Key)] = kv.Value.AsString()
			if kv.Value.Type() == attribute.STRINGSLICE {
				got[string(kv.Key)] = fmt.Sprint(kv.Value.AsStringSlice())
			}
			return true
		})
		if !maps.Equal(got, tc.attributes) || r.AttributesLen() != len(got) {
			t.Errorf("attributes %v\nwant %v", got, tc.attributes)
		}
		if !r.Timestamp().Equal(created) || !r.ObservedTimestamp().Equal(created.Add(time.Second)) {
			t.Error("the times are others")
		}
	}
}

// One event that is not UTF-8, or very long, costs no other of its request.
func TestEventsOfAnyBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Logs: &Signal{}})
		stop := r.run(t)
		odd := event(1)
		odd.Type, odd.APIs = "\xff\xfe"+strings.Repeat("ü", 20_000), []string{"\xc3", strings.Repeat("y", 1<<20)}
		r.Event(odd)
		r.Event(event(2))
		stop()
		if all := r.take(); len(all) != 1 || len(all[0].records) != 2 {
			t.Errorf("%d requests", len(all))
		}
	})
}
