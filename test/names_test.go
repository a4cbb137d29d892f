package test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	logs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	points "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"golang.org/x/net/html"
	"google.golang.org/protobuf/proto"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// hostileStrings are names that break what is written carelessly: an exposition, a log, a page, a
// terminal, a URL, a template.
func hostileStrings() []string {
	return []string{
		`"} evil{x="1`, `"} 1` + "\n" + `evil{x="1`, `\`, `\\"`, `\n`, "a\nb", "a\r\nb", "# EOF", "\n# EOF\n", "# TYPE abs_up counter", "}{", `a="b",c="d"`, "a,b;c=d",
		"nul\x00nul", "tab\tand\vand\f", "esc\x1b[2J\x1b]0;title\a", "del\x7f", "c1\u0085\u009b31m", "line\u2028and\u2029paragraph", "right\u202eto\u202dleft", "\u2066isolate\u2069",
		"\u200bzero\u200dwidth", "\ufefffirst", "\ufffd", "\xff\xfe", "🙂", "é and e\u0301",
		"</td></tr><script>alert(1)</script>", `" onmouseover="alert(1)`, "<img src=x onerror=alert(1)>", "<!--", "]]>", "&lt;&#x3c;", "javascript:alert(1)",
		"{{.Secret}}", "${jndi:ldap://x}", "%s%n%999d", "%00%0a", "../../../../etc/passwd", "?later_date=x&token=y", "a b+c%2B", "'; DROP TABLE x; --",
		"x level=ERROR msg=forged", `x","level":"ERROR","msg":"forged`, "_other", "__name__", "all", "NaN", "null", " ", strings.Repeat("long", 500),
	}
}

// receivedNames is an OTLP receiver that keeps the names and values of attributes.
type receivedNames struct {
	mu      sync.Mutex
	metrics map[string]map[string]bool // by attribute, over all metrics
	records map[string]bool            // the types of attacks of events
	wrong   []string
}

func (n *receivedNames) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case err != nil:
	case r.URL.Path == "/v1/metrics":
		err = n.keepMetrics(body)
	case r.URL.Path == "/v1/logs":
		err = n.keepRecords(body)
	}
	if err != nil {
		n.wrong = append(n.wrong, r.URL.Path+": "+err.Error())
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func (n *receivedNames) keepMetrics(body []byte) error {
	var in points.ExportMetricsServiceRequest
	if err := proto.Unmarshal(body, &in); err != nil {
		return err
	}
	for _, m := range in.GetResourceMetrics()[0].GetScopeMetrics()[0].GetMetrics() {
		for _, p := range append(m.GetSum().GetDataPoints(), m.GetGauge().GetDataPoints()...) {
			n.keep(m.GetName(), p.GetAttributes())
		}
	}
	return nil
}

func (n *receivedNames) keepRecords(body []byte) error {
	var in logs.ExportLogsServiceRequest
	if err := proto.Unmarshal(body, &in); err != nil {
		return err
	}
	for _, record := range in.GetResourceLogs()[0].GetScopeLogs()[0].GetLogRecords() {
		for _, a := range record.GetAttributes() {
			if a.GetKey() == "attack_type" || a.GetKey() == "anomaly_type" {
				n.records[a.GetValue().GetStringValue()] = true
			}
		}
	}
	return nil
}

func (n *receivedNames) keep(metric string, attributes []*common.KeyValue) {
	for _, a := range attributes {
		if n.metrics[a.GetKey()] == nil {
			n.metrics[a.GetKey()] = map[string]bool{}
		}
		n.metrics[a.GetKey()][a.GetValue().GetStringValue()] = true
		if f := familyOf(metric); f != nil && !slices.Contains(f.Labels, a.GetKey()) {
			n.wrong = append(n.wrong, metric+" has the attribute "+a.GetKey())
		}
	}
}

// has returns how many of the values came as an attribute.
func (n *receivedNames) has(attribute string, values []string) (count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, v := range values {
		if n.metrics[attribute][v] {
			count++
		}
	}
	return count
}

// hostileNames returns an ABS in whose reports each string is hostile, and how many requests it
// reports.
func hostileNames(names []string) (sim *simulator.Simulator, requests int64) {
	sim = simulator.New(simulator.Config{APIs: names, Immediate: true})
	now := time.Now()
	for i, s := range names {
		token := fmt.Sprintf("%s token %d", s, i)
		sim.Add(
			simulator.Event{At: now.Add(-20 * time.Minute), Token: token, IP: s, Device: s, Method: s, URL: "/" + s, API: s, N: int64(100 + i)},
			simulator.Event{At: now.Add(-20 * time.Minute), Token: token, IP: "192.0.2.1", Device: s, Method: s, URL: "/" + s, API: s},
		)
		requests += int64(100 + i + 1)
		for _, anomaly := range []bool{false, true} {
			sim.AddAttack(simulator.Attack{Token: token, Type: s, ID: 1 + i%30, APIs: []string{s}, From: now.Add(-time.Hour), To: now.Add(time.Hour), Anomaly: anomaly})
		}
	}
	return sim, requests
}

// hostileAdmin puts the names into all strings of the admin report that are not what it is known
// by.
func hostileAdmin(names []string) func(http.Handler) http.Handler {
	n := 0
	var spoil func(v any) any
	spoil = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for key, value := range v {
				if key != "name" && key != "expiry" && key != "api_name" {
					v[key] = spoil(value)
				}
			}
		case []any:
			for i := range v {
				v[i] = spoil(v[i])
			}
		case string:
			n++
			return names[n%len(names)]
		}
		return v
	}
	return func(abs http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/admin") {
				abs.ServeHTTP(w, r)
				return
			}
			recorded := httptest.NewRecorder()
			r.Header.Del("Accept-Encoding")
			abs.ServeHTTP(recorded, r)
			var report map[string]any
			if json.Unmarshal(recorded.Body.Bytes(), &report) == nil {
				cluster := report["abs_cluster"].(map[string]any)
				for _, s := range names {
					cluster["abs_nodes"] = append(cluster["abs_nodes"].([]any), map[string]any{"node_ip": s, "filesystem": "50%", "os": s})
					cluster["mongodb_nodes"] = append(cluster["mongodb_nodes"].([]any), map[string]any{"node_ip": s, "status": s, "type": s})
				}
				report = spoil(report).(map[string]any)
			}
			_ = json.NewEncoder(w).Encode(report)
		})
	}
}

// Whatever names ABS reports, of tokens, addresses, devices, methods, paths, APIs, attacks and its
// own nodes: expositions are read by Prometheus's parsers as they are meant, a line of the log is a
// line, a page has no element of theirs, a push has them as they are, and nothing is counted that
// was not reported.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	names := hostileStrings()
	sim, requests := hostileNames(names)
	received := &receivedNames{metrics: map[string]map[string]bool{}, records: map[string]bool{}}
	receiver := httptest.NewServer(received)
	t.Cleanup(receiver.Close)
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("the key of the token ids of a test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	keys := append(keyFiles(t, "abs_ak", "abs_sk"), "--series.token-key-file="+key)
	flags := append(append(startABS(t, sim, hostileAdmin(names)), keys...),
		"--collect.interval=500ms", "--collect.reread=500ms", "--collect.lookback=1h", "--admin.interval=1s", "--abs.rate=1000", "--forensics.rate=1000",
		"--log.level=debug", "--series.dimensions=method,api,device,ip,url", "--series.max-values=1000")
	e := startServe(t, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + receiver.URL, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"}, append(flags, "--otlp.interval=1s")...)
	inJSON := startServe(t, nil, append(flags, "--log.format=json")...)

	valid := make([]string, 0, len(names)) // as they may stand in a label
	for _, s := range names {
		s = strings.ToValidUTF8(s, "\ufffd")
		if len(s) > 128 {
			continue // is shortened
		}
		valid = append(valid, s)
	}
	until(t, "all requests are counted", func() bool {
		n, _ := e.value(t, `abs_requests_total{target="test"}`)
		return n == float64(requests)
	})
	until(t, "the attacks are known", func() bool {
		return strings.Count(e.get(t, "metrics"), "\nabs_token_attack_active{") > len(valid)/2
	})
	until(t, "the push has the APIs", func() bool { return received.has("api", valid) > len(valid)*9/10 })
	until(t, "the other process is as far", func() bool {
		return strings.Count(inJSON.get(t, "metrics"), "\nabs_token_attack_active{") > len(valid)/2
	})

	s := scrapeAll(t, e)
	same(t, "OpenMetrics", s.openMetrics.series, s.text.series)
	same(t, "protobuf", s.protobuf.series, s.text.series)
	found := exposedNames(t, s.text)
	for _, label := range []string{"api", "method"} {
		for _, name := range valid {
			if !found[label][name] {
				t.Errorf("no series has the %s %q", label, name)
			}
		}
	}
	types := slices.Collect(maps.Keys(found["attack_type"]))
	until(t, "the push has the types of attacks", func() bool { return received.has("attack_type", types) == len(types) })
	if len(types) < 10 {
		t.Errorf("there are only the types of attacks %q", types)
	}
	received.mu.Lock()
	if len(received.wrong) > 0 || len(received.records) < 10 {
		t.Errorf("%d types in events; %q", len(received.records), received.wrong)
	}
	received.mu.Unlock()
	if n, _ := e.value(t, `abs_requests_total{target="test"}`); n != float64(requests) {
		t.Errorf("%v requests are counted, %d were reported", n, requests)
	}
	pagesAreWhole(t, e)
	commandsArePrintable(t, append(startABS(t, sim, hostileAdmin(names)), keys...), counted(t, e)[0])
	e.terminate(t)
	inJSON.terminate(t)
	logIsWhole(t, e.stderr.String(), inJSON.stderr.String())
}

// exposedNames checks the labels of each series, and returns the values of each label.
func exposedNames(t *testing.T, page exposition) map[string]map[string]bool {
	t.Helper()
	values := map[string]map[string]bool{}
	for series, family := range page.series {
		f := familyOf(family)
		if f == nil || !f.InSnapshot() {
			continue
		}
		page.labels[series].Range(func(l labels.Label) {
			if l.Name == model.MetricNameLabel {
				return
			}
			if !slices.Contains(f.Labels, l.Name) || !utf8.ValidString(l.Value) || len(l.Value) > 128 {
				t.Errorf("%s has the label %s=%q", f.Name, l.Name, l.Value)
			}
			if values[l.Name] == nil {
				values[l.Name] = map[string]bool{}
			}
			values[l.Name][l.Value] = true
		})
	}
	return values
}

// pagesAreWhole checks that all pages have the elements and attributes of templates only.
func pagesAreWhole(t *testing.T, e *exporter) {
	t.Helper()
	text := e.get(t, "")
	for z := html.NewTokenizer(strings.NewReader(text)); ; {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		token := z.Token()
		if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
			continue
		}
		if slices.Contains([]string{"script", "img", "iframe", "object", "svg", "form", "input", "base"}, token.Data) {
			t.Errorf("the status page has the element %s", token)
		}
		for _, a := range token.Attr {
			if strings.HasPrefix(a.Key, "on") || strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:") {
				t.Errorf("the status page has the element %s", token)
			}
		}
	}
	if !strings.Contains(text, "50") { // the disks of ABS's nodes
		t.Error("the status page has nothing of the admin report")
	}
	for _, page := range []string{"api/v1/status"} {
		var whole map[string]any
		if err := json.Unmarshal([]byte(e.get(t, page)), &whole); err != nil {
			t.Errorf("/%s: %v", page, err)
		}
	}
}

// commandsArePrintable checks that what commands print of a report cannot control a terminal.
func commandsArePrintable(t *testing.T, flags []string, id string) {
	t.Helper()
	for _, args := range [][]string{{"check", "--series.dimensions=method,api,device,ip,url"}, {"resolve", "--ip=192.0.2.1"}, {"resolve", id}} {
		p := start(t, nil, append(args, flags...)...)
		status := p.status(t)
		text := p.stdout.String() + p.stderr.String()
		if len(text) < 100 {
			t.Errorf("%q ended with status %d and prints only %s", args, status, text)
		}
		if at := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); at >= 0 {
			t.Errorf("%q prints %q", args, text[max(0, at-50):min(len(text), at+50)])
		}
	}
}

// logIsWhole checks that each line is one that the exporter wrote, and that text for a terminal has
// no character that moves it.
func logIsWhole(t *testing.T, text, lines string) {
	t.Helper()
	whole := regexp.MustCompile(`^time=\S+ level=(DEBUG|INFO|WARN|ERROR) (source=\S+ )?msg=("(\\.|[^"\\])*"|[^\s"=]+)( [a-z_0-9.]+=("(\\.|[^"\\])*"|[^\s"=]*))*$`)
	kinds := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if !whole.MatchString(line) {
			t.Errorf("a line of the log is none: %q", line)
		}
		if at := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) || unicode.Is(unicode.Cf, r) }); at >= 0 {
			t.Errorf("a line of the log has %q", line[at:min(len(line), at+20)])
		}
		if strings.Contains(line, "attack") {
			kinds++
		}
	}
	events := 0
	for line := range strings.Lines(lines) {
		var one struct{ Time, Level, Msg string }
		if err := json.Unmarshal([]byte(line), &one); err != nil || one.Time == "" || one.Msg == "" || one.Msg == "forged" {
			t.Errorf("a line of the log in JSON is none (%v): %q", err, line)
		}
		if strings.Contains(line, "attack") {
			events++
		}
	}
	if kinds < 10 || events < 10 {
		t.Errorf("%d and %d lines about attacks: too few to show anything", kinds, events)
	}
}
