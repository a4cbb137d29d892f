package promtest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// interval is how often the tests scrape: short, as nothing here depends on it.
const interval = 20 * time.Millisecond

// page is a /metrics page whose text a test changes.
type page struct {
	*httptest.Server
	mu     sync.Mutex
	text   string
	status int
}

func newPage(t *testing.T, text string) *page {
	p := &page{text: text, status: http.StatusOK}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		w.WriteHeader(p.status)
		fmt.Fprint(w, p.text)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *page) set(status int, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.text = status, text
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

const twoCounters = `# TYPE abs_requests_total counter
abs_requests_total{method="GET"} %d
abs_requests_total{method="PUT"} %d
`

func TestCounterMoves(t *testing.T) {
	ctx := deadline(t)
	p := newPage(t, fmt.Sprintf(twoCounters, 100, 0))
	prom := Start(t, p.URL+"/metrics", interval)
	for _, values := range [][2]int{{100, 0}, {107, 1}, {107, 41}, {110, 41}} {
		p.set(http.StatusOK, fmt.Sprintf(twoCounters, values[0], values[1]))
		prom.Await(ctx, 1)
	}

	got := prom.Increase(`abs_requests_total`)
	if want := map[string]float64{"GET": 10, "PUT": 41}; !maps.Equal(got.By("method"), want) {
		t.Errorf("increase by method = %v, want %v", got.By("method"), want)
	}
	if got.Sum() != 51 {
		t.Errorf("increase in all = %v, want 51", got.Sum())
	}
	if want := map[string]float64{`"promtest" "PUT"`: 41}; !maps.Equal(prom.Increase(`abs_requests_total{method="PUT"}`).By("job", "method"), want) {
		t.Errorf("increase of PUT by job and method is not %v", want)
	}
	if s := prom.Samples(`abs_requests_total{method="GET"}`); len(s) != 1 || s[0].Falls() != 0 || s[0].Points[0].Value != 100 {
		t.Errorf("samples of GET = %v, want one series that begins at 100 and never falls", s)
	}

	v := prom.Query(`sum(abs_requests_total)`, time.Now())
	if len(v) != 1 || v[0].F != 151 {
		t.Errorf("sum(abs_requests_total) = %v, want 151", v)
	}
	if v := prom.Query(`1 + 1`, time.Now()); len(v) != 1 || v[0].F != 2 {
		t.Errorf("1 + 1 = %v, want 2", v)
	}
}

// A series that vanishes gets its stale marker, and one that returns with a lower value was reset:
// both count only what is stored.
func TestSeriesEndsAndReturns(t *testing.T) {
	ctx := deadline(t)
	p := newPage(t, "c_total 5\n")
	prom := Start(t, p.URL, interval)
	prom.Await(ctx, 1)
	p.set(http.StatusOK, "c_total 8\n")
	prom.Await(ctx, 1)
	p.set(http.StatusOK, "other 1\n")
	prom.Await(ctx, 1)
	if v := prom.Query("c_total", time.Now()); len(v) != 0 {
		t.Errorf("c_total = %v after it vanished, want nothing", v)
	}
	p.set(http.StatusOK, "c_total 2\n")
	prom.Await(ctx, 1)

	s := prom.Samples("c_total")
	if len(s) != 1 {
		t.Fatalf("samples = %v, want one series", s)
	}
	if s[0].Increase() != 3+2 || s[0].Falls() != 0 {
		t.Errorf("increase = %v, falls = %d; want 5, 0", s[0].Increase(), s[0].Falls())
	}
}

func TestFailedScrapesAreStoredAsDown(t *testing.T) {
	ctx := deadline(t)
	p := newPage(t, "c_total 5\n")
	prom := Start(t, p.URL, interval)
	up := func(want float64) func() bool {
		return func() bool {
			v := prom.Query("up", time.Now())
			return len(v) == 1 && v[0].F == want
		}
	}
	prom.Until(ctx, "the target is up", up(1))
	p.set(http.StatusInternalServerError, "")
	prom.Until(ctx, "the target is down", up(0))
}

// The exporter serves new counters as 0 because a Prometheus without a feature flag does not read
// created timestamps: this Prometheus must be such a one.
func TestNoFeatureFlagIsOn(t *testing.T) {
	ctx := deadline(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
		fmt.Fprint(w, "# TYPE c counter\nc_total 5\nc_created 1500000000.5\n# EOF\n")
	}))
	t.Cleanup(server.Close)
	prom := Start(t, server.URL, interval)
	prom.Await(ctx, 1)

	if v := prom.Query("c_created", time.Now()); len(v) != 1 || v[0].F != 1500000000.5 {
		t.Errorf("c_created = %v, want it stored as a series of its own", v)
	}
	series := prom.Samples("c_total")
	if len(series) != 1 {
		t.Fatalf("samples of c_total = %v, want one series", series)
	}
	for _, pt := range series[0].Points {
		if pt.Value != 5 && !pt.Stale {
			t.Errorf("c_total has a sample of %v: a zero was made from the created timestamp", pt.Value)
		}
	}
}

func TestScrapeConfigReachesTheScrape(t *testing.T) {
	ctx := deadline(t)
	type asked struct{ accept, path, query string }
	seen := make(chan asked, 1)
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case seen <- asked{r.Header.Get("Accept"), r.URL.Path, r.URL.RawQuery}:
		default:
		}
	}))
	t.Cleanup(server.Close)
	prom := Start(t, server.URL+"/a?b=c%22d", interval,
		ScrapeConfig(`tls_config: {insecure_skip_verify: true}`, `scrape_protocols: [PrometheusText0.0.4]`))
	prom.Await(ctx, 1)
	want := asked{"text/plain;version=0.0.4;escaping=allow-utf-8;q=0.5,*/*;q=0.4", "/a", "b=c%22d"}
	if got := <-seen; got.path != want.path || got.query != want.query || len(got.accept) < 24 || got.accept[:24] != want.accept[:24] {
		t.Errorf("asked = %+v, want %+v", got, want)
	}
}

func TestInvalidTargets(t *testing.T) {
	for _, target := range []string{"127.0.0.1:10464", "ftp://x/metrics", "/metrics", "http://"} {
		if _, err := configFor(target, interval, nil); err == nil {
			t.Errorf("configFor(%q) accepted it", target)
		}
	}
	if _, err := configFor("http://x/metrics", interval, []string{"scrape_protokols: []"}); err == nil {
		t.Error("configFor accepted a key that Prometheus doesn't know")
	}
}

func TestIncrease(t *testing.T) {
	for _, tc := range []struct {
		name   string
		values []float64 // -1 is a stale marker
		want   float64
		falls  int
	}{
		{"no sample", nil, 0, 0},
		{"one sample", []float64{7}, 0, 0},
		{"begins above 0", []float64{7, 9, 9, 12}, 5, 0},
		{"reset to 0", []float64{7, 9, 0, 4}, 6, 1},
		{"reset to more than 0", []float64{7, 9, 3}, 5, 1},
		{"gone and created again", []float64{0, 9, -1, 0, 4}, 13, 0},
		{"gone and back with its value", []float64{0, 9, -1, 9, 11}, 11, 0},
		{"only a stale marker", []float64{-1}, 0, 0},
		{"exact where a float's steps are 1", []float64{0, 1<<53 - 1, 1 << 53}, 1 << 53, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var s Series
			for i, v := range tc.values {
				s.Points = append(s.Points, Point{At: time.Unix(int64(i), 0), Value: v, Stale: v < 0})
			}
			if got := s.Increase(); got != tc.want {
				t.Errorf("Increase = %v, want %v", got, tc.want)
			}
			if got := s.Falls(); got != tc.falls {
				t.Errorf("Falls = %v, want %v", got, tc.falls)
			}
		})
	}
}

func TestByKeepsValuesApart(t *testing.T) {
	in := Increases{
		{Labels: labels.FromStrings("a", `x" "y`, "b", "z"), Value: 1},
		{Labels: labels.FromStrings("a", "x", "b", `y" "z`), Value: 2},
		{Labels: labels.FromStrings("a", "x y", "b", "z"), Value: 4},
		{Labels: labels.FromStrings("a", "x", "b", "y z"), Value: 8},
		{Labels: labels.FromStrings("b", "z"), Value: 16},
	}
	want := map[string]float64{Key(`x" "y`, "z"): 1, Key("x", `y" "z`): 2, Key("x y", "z"): 4, Key("x", "y z"): 8, Key("", "z"): 16}
	if got := in.By("a", "b"); len(want) != 5 || !maps.Equal(got, want) {
		t.Errorf("By(a, b) = %v, want %v", got, want)
	}
	if got := in.By("b"); got["z"] != 21 {
		t.Errorf("By(b) = %v, want 21 for z", got)
	}
}
