package otlp

import (
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/metrics"
	"github.com/abs-exporter/abs-exporter/metrics/otlp"
)

// A large set goes in several requests below 1 MiB, all its points have one time, and resource,
// headers and events arrive.
func TestWhatReceiversGet(t *testing.T) {
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=other,deployment.environment.name=test,service.name=abs-exporter")
	const series = 100_000
	for _, protocol := range []string{otlp.ProtocolGRPC, otlp.ProtocolHTTP} {
		t.Run(protocol, func(t *testing.T) {
			e, r := newExporter(t), newReceiver()
			endpoint := r.serve(t, protocol)
			e.push(t, map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
				"OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20a%2Bb,x-scope=1",
			})
			for _, p := range e.pushers {
				p.Event(events()[0])
			}
			s := largeSnapshot(series, 3)
			e.publish(s)
			until(t, "the receiver has everything", func() bool { return r.differs(s) == "" })
			until(t, "the event is there", func() bool {
				r.mu.Lock()
				defer r.mu.Unlock()
				return len(r.records) == 1
			})
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.largest >= 1<<20 || r.largest < 100<<10 {
				t.Errorf("the largest request has %d bytes", r.largest)
			}
			if most := slices.Max(slices.Collect(maps.Values(r.times))); most < series {
				t.Errorf("%d points of a push have one time, want %d", most, series)
			}
			want := map[string]string{
				"service.name": "abs-exporter", "service.version": "1.2.3", "service.instance.id": "test:10464", "deployment.environment.name": "test",
			}
			if !maps.Equal(r.resource, want) {
				t.Errorf("resource %v, want %v", r.resource, want)
			}
			for name, value := range map[string]string{"authorization": "Bearer a+b", "x-scope": "1"} {
				if got := r.headers[name]; len(got) != 1 || got[0] != value {
					t.Errorf("header %s is %q, want %q", name, got, value)
				}
			}
			if name := r.records[0].GetEventName(); name != "abs.attack.began" {
				t.Errorf("event name %q", name)
			}
		})
	}
}

// Both signals reach receivers whose address is a gRPC target and no URL.
func TestTargetsOfGRPC(t *testing.T) {
	for _, scheme := range []string{"unix", "dns"} {
		t.Run(scheme, func(t *testing.T) {
			e, r := newExporter(t), newReceiver()
			endpoint := ""
			if scheme == "unix" {
				endpoint = "unix://" + r.listenGRPC(t, "unix", filepath.Join(t.TempDir(), "s")).String()
			} else {
				_, port, _ := net.SplitHostPort(r.listenGRPC(t, "tcp", "127.0.0.1:0").String())
				endpoint = "dns:///localhost:" + port
			}
			e.push(t, map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": otlp.ProtocolGRPC, "OTEL_EXPORTER_OTLP_INSECURE": "true",
			})
			s := largeSnapshot(10, 3)
			e.publish(s)
			e.pushers[0].Event(events()[0])
			until(t, "metrics and the event arrive", func() bool { return r.differs(s) == "" && r.tokens() == 1 })
		})
	}
}

// recordsByName returns the log records that the Collector printed in full, by event name.
func recordsByName(printed string) map[string]string {
	records := map[string]string{}
	for _, text := range strings.Split(printed, "LogRecord #")[1:] {
		if _, name, ok := strings.Cut(text, "EventName: "); ok && strings.Contains(text, "Flags:") {
			records[strings.Fields(name)[0]] = text
		}
	}
	return records
}

// events are one of each name.
func events() []metrics.Event {
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	one := metrics.Event{
		At: at, Target: "shop", Began: true, Token: "0123456789abcdef", Type: "Some Type", Severity: "critical", APIs: []string{"payments", "shop"},
		WindowFrom: at.Add(-time.Hour), WindowTo: at,
	}
	var all []metrics.Event
	for _, anomaly := range []bool{false, true} {
		for _, began := range []bool{true, false} {
			one.Anomaly, one.Began = anomaly, began
			all = append(all, one)
		}
	}
	return all
}

// The pinned Collector reads of each event what docs/opentelemetry.md promises.
func TestEventsAtTheCollector(t *testing.T) {
	for _, protocol := range []string{otlp.ProtocolGRPC, otlp.ProtocolHTTP} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			e, c := newExporter(t), startCollector(t)
			address := map[string]string{otlp.ProtocolGRPC: c.grpc, otlp.ProtocolHTTP: c.http}[protocol]
			e.push(t, map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + address, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_METRICS_EXPORTER": "none",
			})
			for _, one := range events() {
				e.pushers[0].Event(one)
			}
			attributes := func(what string) []string {
				return []string{
					"-> target: Str(shop)", "-> token: Str(0123456789abcdef)", "-> " + what + "_type: Str(Some Type)",
					`-> apis: Slice(["payments","shop"])`, "-> severity: Str(critical)",
					"-> window_from: Str(2026-11-01T11:00:00Z)", "-> window_to: Str(2026-11-01T12:00:00Z)",
				}
			}
			want := map[string][]string{
				"abs.attack.began":  append(attributes("attack"), "SeverityText: ERROR", "Body: Str(Attack began: Some Type on payments, shop, token id 0123456789abcdef, target shop (critical))"),
				"abs.attack.ended":  append(attributes("attack"), "SeverityText: INFO", "Body: Str(Attack ended: Some Type on"),
				"abs.anomaly.began": append(attributes("anomaly"), "SeverityText: ERROR", "Body: Str(Anomaly began: Some Type on"),
				"abs.anomaly.ended": append(attributes("anomaly"), "SeverityText: INFO", "Body: Str(Anomaly ended: Some Type on"),
			}
			var records map[string]string
			until(t, "the Collector has every event", func() bool {
				records = recordsByName(c.out.String())
				return len(records) == len(want)
			})
			for name, parts := range want {
				for _, part := range append(parts, "Timestamp: 2026-11-01 12:00:00 +0000 UTC") {
					if !strings.Contains(records[name], part) {
						t.Errorf("%s lacks %q:\n%s", name, part, records[name])
					}
				}
			}
		})
	}
}
