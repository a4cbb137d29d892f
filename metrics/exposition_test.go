package metrics

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"
)

// The exposition of a small snapshot, in both text formats, as users see it.
func TestExpositionGolden(t *testing.T) {
	reg := prometheus.NewRegistry()
	health := NewHealth(reg)
	health.Up.WithLabelValues("shop").Set(1)
	health.ReportFailures.WithLabelValues("shop", "oauthtokens", "timeout").Add(2)
	created := time.UnixMilli(1_790_000_000_250)
	shop := &Snapshot{Blocks: []Block{
		{AttackTokens, []Sample{{mustSeries(AttackTokens, "shop", "Data Exfiltration Attack Type 1", "all"), 1}}},
		{Requests, []Sample{{NewSeries(Requests, created, "shop"), 12_206}}},
		{TokenMethodRequests, []Sample{
			{NewSeries(TokenMethodRequests, created, "shop", "0123456789abcdef", "GET"), 1_234_567},
			{NewSeries(TokenMethodRequests, created, "shop", "0123456789abcdef", "a \"quote\", a \\ and a\nbreak"), 0},
		}},
		{WindowSeconds, []Sample{{mustSeries(WindowSeconds, "shop"), 10_800}}},
		{WindowTokens, nil},
	}}
	bank := &Snapshot{Blocks: []Block{{Requests, []Sample{{NewSeries(Requests, created, "bank"), 3}}}}}
	for file, tt := range map[string]struct {
		accept  string
		created bool
	}{
		"text.txt":                {acceptText, false},
		"openmetrics.txt":         {acceptOpenMetrics, false},
		"openmetrics_created.txt": {acceptOpenMetrics, true},
	} {
		gatherer := prometheus.Gatherer(reg)
		if tt.created {
			gatherer = noHealth() // client_golang's created times are now
		}
		e := NewExposition(gatherer, Options{OpenMetricsCreated: tt.created})
		e.Publish("shop", shop)
		e.Publish("bank", bank)
		golden(t, "testdata/"+file, []byte(scrape(t, e, tt.accept, "").text))
	}
}

func TestNegotiation(t *testing.T) {
	e := fullExposition(t)
	const prometheus3 = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7," +
		"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5," +
		"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
	for _, tt := range []struct{ accept, encoding, contentType, contentEncoding string }{
		{"", "", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", ""},
		{"*/*", "gzip", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", "gzip"},
		{"text/html,*/*;q=0.1", "br", "", ""},
		{acceptText, "gzip;q=0", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", ""},
		{acceptText, "deflate, gzip;q=1.0, *;q=0.5", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", "gzip"},
		{acceptText, "identity;q=1, gzip;q=0.5", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", ""},
		{acceptText, "GZIP", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", "gzip"},
		{acceptText, "gzip;q=nonsense", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", ""},
		{acceptText, "*", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", ""},
		{acceptOpenMetrics, "", "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores", ""},
		{acceptOpenMetrics00, "", "application/openmetrics-text; version=0.0.1; charset=utf-8; escaping=underscores", ""},
		{acceptOpenMetrics + ";escaping=allow-utf-8", "", "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8", ""},
		{acceptOpenMetrics + ";escaping=dots", "", "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores", ""},
		{acceptProtobuf, "gzip", "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=underscores", "gzip"},
		{prometheus3, "gzip", "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=underscores", "gzip"},
		{strings.ReplaceAll(acceptProtobuf, "delimited", "text"), "", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", ""},
	} {
		a := scrape(t, e, tt.accept, tt.encoding)
		if got := a.header.Get("Content-Type"); tt.contentType != "" && got != tt.contentType {
			t.Errorf("Accept %q: Content-Type %q, want %q", tt.accept, got, tt.contentType)
		}
		if got := a.header.Get("Content-Encoding"); got != tt.contentEncoding {
			t.Errorf("Accept-Encoding %q: Content-Encoding %q, want %q", tt.encoding, got, tt.contentEncoding)
		}
		if got := strings.Join(a.header.Values("Vary"), ","); got != "Accept,Accept-Encoding" {
			t.Errorf("Vary %q", got)
		}
		if strings.HasPrefix(tt.contentType, "application/openmetrics") {
			if strings.Count(a.text, "# EOF\n") != 1 || !strings.HasSuffix(a.text, "# EOF\n") {
				t.Errorf("Accept %q: not exactly one # EOF at the end", tt.accept)
			}
		} else if decodeAs(t, a.text, a.header.Get("Content-Type"))["go_goroutines"] == nil {
			t.Errorf("Accept %q: the exporter's own health is missing", tt.accept)
		}
	}
}

func TestHead(t *testing.T) {
	e := fullExposition(t)
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(http.MethodHead, "/metrics", nil))
	if w.Code != http.StatusOK || w.Body.Len() != 0 || w.Header().Get("Content-Length") == "0" {
		t.Errorf("HEAD: status %d, %d bytes, Content-Length %s", w.Code, w.Body.Len(), w.Header().Get("Content-Length"))
	}
}

// Two hundred scrapers at once in all formats: one rendering of each, and few gatherings.
func TestRenderedOnce(t *testing.T) {
	gatherings := &countingGatherer{Gatherer: noHealth()}
	e := NewExposition(gatherings, Options{})
	e.Publish("a", manySeries(500, "a"))
	accepts := []string{acceptText, acceptOpenMetrics, acceptProtobuf}
	want := map[string]string{}
	for _, accept := range accepts {
		want[accept] = standardText(t, e.Snapshots(), accept)
	}
	for publication := range int64(3) {
		var scrapers sync.WaitGroup
		start := make(chan struct{})
		errs := make(chan error, 200)
		for i := range 200 {
			scrapers.Go(func() {
				<-start
				accept := accepts[i%3]
				a, err := tryScrape(e, accept, []string{"", "gzip"}[i/3%2])
				if err == nil && accept != acceptProtobuf {
					err = sameLines(a.text, want[accept])
				}
				errs <- err
			})
		}
		close(start)
		scrapers.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
		if got := e.renderings.Load(); got != 6*(publication+1) {
			t.Fatalf("%d renderings after %d publications requested in 6 forms", got, publication+1)
		}
		e.Publish("a", e.Snapshots()["a"])
	}
}

func standardText(t testing.TB, snapshots map[string]*Snapshot, accept string) string {
	t.Helper()
	f, _ := negotiate(http.Header{"Accept": {accept}})
	return standardEncoding(t, standardFamilies(snapshots), f, false)
}

type countingGatherer struct {
	prometheus.Gatherer
	n atomic.Int64
}

func (g *countingGatherer) Gather() ([]*dto.MetricFamily, error) {
	g.n.Add(1)
	return g.Gatherer.Gather()
}

// Scrapes that arrive while health is being gathered share the next gathering, which begins after
// they arrived.
func TestHealthIsGatheredOnceForThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		gate := &gatedGatherer{release: release}
		e := NewExposition(gate, Options{})
		var scrapers sync.WaitGroup
		var texts [11]string
		one := func(i int) {
			scrapers.Go(func() { texts[i] = scrape(t, e, acceptText, "").text })
			synctest.Wait()
		}
		one(0) // gathers, and blocks
		for i := 1; i <= 10; i++ {
			one(i)
		}
		if got := gate.n.Load(); got != 1 {
			t.Fatalf("%d gatherings have begun, want 1", got)
		}
		close(release)
		scrapers.Wait()
		if got := gate.n.Load(); got != 2 {
			t.Errorf("%d gatherings for 1 scrape and 10 that waited, want 2", got)
		}
		if !strings.Contains(texts[0], "\nx 1\n") {
			t.Errorf("the first scrape got %q", texts[0])
		}
		for i, text := range texts[1:] {
			if !strings.Contains(text, "\nx 2\n") {
				t.Errorf("waiting scrape %d got an older gathering: %q", i, text)
			}
		}
	})
}

type gatedGatherer struct {
	n       atomic.Int64
	release chan struct{}
}

func (g *gatedGatherer) Gather() ([]*dto.MetricFamily, error) {
	n := g.n.Add(1)
	<-g.release
	return []*dto.MetricFamily{{
		Name: proto.String("x"), Help: proto.String("h"), Type: dto.MetricType_GAUGE.Enum(),
		Metric: []*dto.Metric{{Gauge: &dto.Gauge{Value: proto.Float64(float64(n))}}},
	}}, nil
}

// What cannot be gathered is logged and counted, and everything else is served.
func TestBrokenHealthDoesNotBreakTheScrape(t *testing.T) {
	reg := prometheus.NewRegistry()
	var log bytes.Buffer
	broken := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		families, err := reg.Gather()
		families = append(families, &dto.MetricFamily{Name: proto.String("broken")}) // no metrics: cannot be encoded
		return families, errors.Join(err, errors.New("a collector failed"))
	})
	e := NewExposition(broken, Options{Registerer: reg, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	e.Publish("a", manySeries(1, "a"))
	for range 2 {
		a := scrape(t, e, acceptText, "gzip")
		if a.status != http.StatusOK || !strings.Contains(a.text, "abs_token_method_requests_total{") ||
			!strings.Contains(a.text, "promhttp_metric_handler_requests_total{") || strings.Contains(a.text, "broken") {
			t.Errorf("status %d:\n%s", a.status, a.text)
		}
	}
	if a := scrape(t, e, acceptText, ""); !strings.Contains(a.text, `promhttp_metric_handler_errors_total{cause="gathering"} 2`) {
		t.Errorf("errors are not counted:\n%s", a.text)
	}
	if !strings.Contains(log.String(), "a collector failed") {
		t.Errorf("log: %s", log.String())
	}
}

// A gatherer that panics fails its scrape and those that share it, and no scrape hangs.
func TestPanickingHealth(t *testing.T) {
	e := NewExposition(prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { panic("x") }), Options{})
	for range 2 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic did not reach net/http")
				}
			}()
			scrape(t, e, "", "")
		}()
	}
}

// Above keepPlain only the compressed form is kept, and every scrape still gets the same.
func TestLargeSnapshotsAreKeptCompressedOnly(t *testing.T) {
	reg := prometheus.NewRegistry()
	NewHealth(reg).Init("a")
	s := manySeries(20_000, "a")
	small, large := NewExposition(reg, Options{}), NewExposition(reg, Options{})
	large.keepPlain = 1 << 20
	small.Publish("a", s)
	large.Publish("a", s)
	for _, accept := range []string{acceptText, acceptOpenMetrics, acceptProtobuf} {
		want := scrape(t, small, accept, "")
		if want.header.Get("Content-Length") == "" {
			t.Errorf("%s: a small snapshot is served without Content-Length", accept)
		}
		for _, encoding := range []string{"", "gzip", "gzip", ""} {
			got := scrape(t, large, accept, encoding)
			if got.text != want.text {
				t.Fatalf("%s, %s: a large snapshot is served differently", accept, encoding)
			}
			if has := got.header.Get("Content-Length") != ""; has != (encoding == "gzip") {
				t.Errorf("%s, %q: Content-Length %q", accept, encoding, got.header.Get("Content-Length"))
			}
		}
	}
	if got := large.renderings.Load(); got != 3+2*3 {
		t.Errorf("%d renderings for 3 formats, once compressed and twice for scrapes", got)
	}
	p := large.current.Load()
	for f := range formatCount {
		if p.plain[f]() != nil {
			t.Errorf("format %d is kept uncompressed", f)
		}
		if b := p.compressed[f](); b.size*4 > b.plain {
			t.Errorf("format %d: %d bytes are kept of %d", f, b.size, b.plain)
		}
	}
}

// The estimate decides what is kept uncompressed; it must be close.
func TestEstimate(t *testing.T) {
	e := NewExposition(noHealth(), Options{})
	e.Publish("a", manySeries(5000, "a"))
	got, want := estimate(e.current.Load().groups), len(scrape(t, e, acceptText, "").text)
	if float64(got) < 0.9*float64(want) || float64(got) > 1.1*float64(want) {
		t.Errorf("estimated %d, is %d", got, want)
	}
}

func TestPublishReplacesAndRemoves(t *testing.T) {
	e := NewExposition(noHealth(), Options{})
	if got := scrape(t, e, "", "gzip").text; got != "" {
		t.Errorf("before anything was published: %q", got)
	}
	if got := scrape(t, e, acceptOpenMetrics, "gzip").text; got != "# EOF\n" {
		t.Errorf("before anything was published: %q", got)
	}
	publish := func(target string, v int64) {
		e.Publish(target, &Snapshot{Blocks: []Block{{Requests, []Sample{{mustSeries(Requests, target), v}}}}})
	}
	values := func() string {
		var b strings.Builder
		for line := range strings.Lines(scrape(t, e, "", "").text) {
			if !strings.HasPrefix(line, "#") {
				b.WriteString(strings.TrimPrefix(line, Requests.Name))
			}
		}
		return b.String()
	}
	publish("b", 1)
	publish("a", 2)
	if got, want := values(), "{target=\"a\"} 2\n{target=\"b\"} 1\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	publish("b", 3)
	if got, want := values(), "{target=\"a\"} 2\n{target=\"b\"} 3\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	e.Publish("a", nil)
	if got, want := values(), "{target=\"b\"} 3\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if s := e.Snapshots(); len(s) != 1 || s["b"] == nil {
		t.Errorf("snapshots %v", s)
	}
	delete(e.Snapshots(), "b") // a copy
	if len(e.Snapshots()) != 1 {
		t.Error("Snapshots returns its own map")
	}
}

// A scraper that reads slowly blocks neither Publish nor other scrapers, and gets all of the
// publication that it began with.
func TestSlowScraperBlocksNothing(t *testing.T) {
	for _, keep := range []int64{keepPlain, 1} { // kept plain, and rendered for the scrape
		e := NewExposition(noHealth(), Options{})
		e.keepPlain = keep
		e.Publish("a", manySeries(10_000, "a"))
		want := standardText(t, e.Snapshots(), acceptText)
		server := httptest.NewServer(e)
		defer server.Close()

		slow := &gatedWriter{sink: sink{header: http.Header{}}, writing: make(chan struct{}), release: make(chan struct{})}
		var scraper sync.WaitGroup
		scraper.Go(func() { e.ServeHTTP(slow, httptest.NewRequest(http.MethodGet, "/metrics", nil)) })
		<-slow.writing
		for i := range 20 {
			e.Publish("a", manySeries(10+i, "a"))
			if got := strings.Count(get(t, server.URL), "\nabs_"); got != 10+i {
				t.Fatalf("publication %d: %d series", i, got)
			}
		}
		close(slow.release)
		scraper.Wait()
		if err := sameLines(slow.body.String(), want); err != nil {
			t.Errorf("the slow scraper: %v", err)
		}
	}
}

// gatedWriter accepts no byte before it is released.
type gatedWriter struct {
	sink
	once             sync.Once
	writing, release chan struct{}
	body             bytes.Buffer
}

func (w *gatedWriter) Write(p []byte) (int, error) {
	w.once.Do(func() { close(w.writing) })
	<-w.release
	return w.body.Write(p)
}

// get scrapes over real HTTP, with Go's own gzip as in Prometheus.
func get(t testing.TB, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if !response.Uncompressed {
		t.Error("the answer was not compressed")
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// Whatever is published while scrapes run: each scrape sees exactly one publication of a target.
func TestPublishDuringScrapes(t *testing.T) {
	e := NewExposition(noHealth(), Options{})
	e.keepPlain = 20_000
	series := make([]*Series, 500)
	for i := range series {
		series[i] = mustSeries(TokenRequests, "a", fmt.Sprintf("%016x", i))
	}
	publish := func(v int64) {
		// Odd publications are small, so that some are kept plain and some are not.
		samples := make([]Sample, len(series)>>(v%2*2))
		for i := range samples {
			samples[i] = Sample{series[i], v}
		}
		e.Publish("a", &Snapshot{Blocks: []Block{{TokenRequests, samples}}})
	}
	publish(0)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				a, err := tryScrape(e, acceptText, []string{"", "gzip"}[i%2])
				if err != nil {
					t.Error(err)
					return
				}
				lines := strings.Split(strings.TrimSpace(a.text), "\n")[2:]
				value := lines[0][strings.LastIndexByte(lines[0], ' '):]
				for _, line := range lines {
					if !strings.HasSuffix(line, value) {
						t.Errorf("two publications in one scrape: %s and %s", lines[0], line)
						return
					}
				}
				if !slices.Contains([]int{len(series), len(series) / 4}, len(lines)) {
					t.Errorf("%d series", len(lines))
					return
				}
			}
		})
	}
	for v := range int64(300) {
		publish(v)
	}
	stop()
	wg.Wait()
}
