package metrics

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

var update = flag.Bool("update", false, "rewrite golden files and docs/metrics.md")

const (
	acceptProtobuf      = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
	acceptOpenMetrics   = "application/openmetrics-text;version=1.0.0"
	acceptOpenMetrics00 = "application/openmetrics-text;version=0.0.1"
	acceptText          = "text/plain;version=0.0.4"
)

// golden compares got with a file, or writes it with -update.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; make it with: go test ./metrics -update", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the code makes; if the code is right: go test ./metrics -update\ngot:\n%s", path, got)
	}
}

// answer is the response to a scrape.
type answer struct {
	header http.Header
	status int
	wire   []byte // as sent
	text   string // decompressed
}

// scrape sends one request to the handler, and decompresses like a client that reads one gzip
// member.
func scrape(t testing.TB, h http.Handler, accept, encoding string) answer {
	t.Helper()
	a, err := tryScrape(h, accept, encoding)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func tryScrape(h http.Handler, accept, encoding string) (answer, error) {
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	if encoding != "" {
		r.Header.Set("Accept-Encoding", encoding)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	a := answer{header: w.Header(), status: w.Code, wire: w.Body.Bytes()}
	// A large exposition without compression is rendered while it is sent, so it has none.
	if length := w.Header().Get("Content-Length"); length != "" && length != fmt.Sprint(len(a.wire)) {
		return a, fmt.Errorf("Content-Length is %s, the body has %d bytes", length, len(a.wire))
	}
	if w.Header().Get("Content-Encoding") != "gzip" {
		a.text = string(a.wire)
		return a, nil
	}
	in := bytes.NewReader(a.wire)
	zr, err := gzip.NewReader(in)
	if err != nil {
		return a, err
	}
	zr.Multistream(false) // as browsers and curl read
	plain, err := io.ReadAll(zr)
	if err != nil {
		return a, err
	}
	if in.Len() != 0 {
		return a, fmt.Errorf("%d bytes follow the gzip member", in.Len())
	}
	a.text = string(plain)
	return a, nil
}

// decodeAs reads an exposition with the standard decoder, by family name.
func decodeAs(t testing.TB, body, contentType string) map[string]*dto.MetricFamily {
	t.Helper()
	format := expfmt.ResponseFormat(http.Header{"Content-Type": {contentType}})
	decoder := expfmt.NewDecoder(strings.NewReader(body), format)
	families := map[string]*dto.MetricFamily{}
	for {
		f := &dto.MetricFamily{}
		err := decoder.Decode(f)
		if errors.Is(err, io.EOF) {
			return families
		}
		if err != nil {
			t.Fatalf("%s: %v", contentType, err)
		}
		if families[f.GetName()] != nil {
			t.Fatalf("family %s comes twice", f.GetName())
		}
		families[f.GetName()] = f
	}
}

// noHealth returns a gatherer without metrics.
func noHealth() prometheus.Gatherer { return prometheus.NewRegistry() }

// nasty returns label values that break a careless encoder.
func nasty() []string {
	return []string{
		"", " ", "plain", `"`, `\`, `\n`, "\n", "\\\n\"", `ends in \`, `"},{`, "a,b=\"c\"", "{}", "# EOF", "\x00", "\r\n",
		"\xff\xfe", "half \xe2\x82", "日本語", "🙂", "\uFFFD", "\u2028", "NaN", "_other", strings.Repeat("ö\"", 500),
	}
}

// standardFamilies returns what client_golang would make of the snapshots: the model for
// expositions.
func standardFamilies(snapshots map[string]*Snapshot) []*dto.MetricFamily {
	families := map[*Family]*dto.MetricFamily{}
	for _, target := range slices.Sorted(maps.Keys(snapshots)) {
		own := snapshots[target].Labels
		for _, block := range snapshots[target].Blocks {
			f := block.Family
			for _, sample := range block.Samples {
				if families[f] == nil {
					families[f] = standardFamily(f)
				}
				m := standardMetric(f, sample)
				for name, value := range own.All() {
					m.Label = append(m.Label, &dto.LabelPair{Name: &name, Value: &value})
				}
				families[f].Metric = append(families[f].Metric, m)
			}
		}
	}
	var ordered []*dto.MetricFamily
	for _, f := range Table() {
		if families[f] != nil {
			ordered = append(ordered, families[f])
		}
	}
	return ordered
}

func standardFamily(f *Family) *dto.MetricFamily {
	family := &dto.MetricFamily{Name: proto.String(f.Name), Help: proto.String(f.Help), Type: dto.MetricType_GAUGE.Enum()}
	if f.Type == Counter {
		family.Type = dto.MetricType_COUNTER.Enum()
	}
	if unit := f.exposedUnit(); unit != "" {
		family.Unit = proto.String(unit)
	}
	return family
}

func standardMetric(f *Family, sample Sample) *dto.Metric {
	m := &dto.Metric{}
	for i, v := range values(sample.Series) {
		m.Label = append(m.Label, &dto.LabelPair{Name: proto.String(f.Labels[i]), Value: proto.String(v)})
	}
	if f.Type != Counter {
		value := float64(sample.Value)
		if f.Scale != 0 {
			value /= float64(f.Scale)
		}
		m.Gauge = &dto.Gauge{Value: proto.Float64(value)}
		return m
	}
	m.Counter = &dto.Counter{Value: proto.Float64(float64(sample.Value))}
	if created := sample.Series.Created(); !created.IsZero() {
		m.Counter.CreatedTimestamp = timestamppb.New(created)
	}
	return m
}

// randomSnapshot returns blocks of all snapshot families in random order, some empty, some twice,
// with nasty label values.
func randomSnapshot(r *rand.Rand, target string) *Snapshot {
	values := nasty()
	numbers := []int64{0, 1, 2, 999_999, 1_000_000, 1_234_567, 123_456_789_012, 1 << 53, -1, -7}
	s := &Snapshot{}
	if r.IntN(3) > 0 {
		s.Labels = NewOwnLabels(map[string]string{"env": "prod", "team": values[1+r.IntN(8)]})
	}
	seen := map[string]bool{}
	for _, f := range Table() {
		if !f.InSnapshot() || r.IntN(4) == 0 {
			continue
		}
		for range 1 + r.IntN(2) {
			block := Block{Family: f}
			for range r.IntN(12) {
				labels := []string{target}
				for range f.Labels[1:] {
					labels = append(labels, values[r.IntN(len(values))])
				}
				created := time.Time{}
				if f.Type == Counter && r.IntN(5) > 0 {
					created = time.UnixMilli(1_700_000_000_000 + r.Int64N(1<<40)>>r.IntN(30)).Add(time.Duration(r.IntN(999_999)))
				}
				series := NewSeries(f, created, labels...)
				if seen[series.String()] {
					continue
				}
				seen[series.String()] = true
				block.Samples = append(block.Samples, Sample{series, numbers[r.IntN(len(numbers))]})
			}
			s.Blocks = append(s.Blocks, block)
		}
	}
	r.Shuffle(len(s.Blocks), func(i, j int) { s.Blocks[i], s.Blocks[j] = s.Blocks[j], s.Blocks[i] })
	return s
}

// fullExposition returns a handler with at least one series of every family in the table.
func fullExposition(t testing.TB) *Exposition {
	t.Helper()
	reg := NewRegistry(Build{Version: "1.2.3", Revision: "abc", GoVersion: "go1.26"})
	RegisterLog(reg, func() float64 { return 0 })
	NewReloads(reg).Succeeded(time.Now())
	h := NewHealth(reg)
	h.Init("shop")
	for _, vec := range []*prometheus.GaugeVec{
		h.Up, h.LastNewRequests, h.CertificateExpiry, h.ServerClockSkew, h.AuditMissing, h.AuditSurplus, h.ForensicsOldestAge, h.StateLastSave,
	} {
		vec.WithLabelValues("shop").Set(1)
	}
	h.ReportLastSuccess.WithLabelValues("shop", "oauthtokens").Set(1)
	h.ConfigSeconds.WithLabelValues("shop", SettingInterval).Set(1)
	push := NewPushHealth(reg)
	push.Init(SignalMetrics)
	push.LastSuccess.WithLabelValues(SignalMetrics).Set(1)
	e := NewExposition(reg, Options{Registerer: reg})
	s := &Snapshot{}
	for _, f := range Table() {
		if !f.InSnapshot() {
			continue
		}
		values := []string{"shop"}
		for _, name := range f.Labels[1:] {
			values = append(values, "some "+name)
		}
		s.Blocks = append(s.Blocks, Block{f, []Sample{{NewSeries(f, time.Time{}, values...), 1}}})
	}
	e.Publish("shop", s)
	return e
}

// values returns the label values of a series in the order of its family's labels.
func values(s *Series) []string {
	var all []string
	for _, v := range s.Labels() {
		all = append(all, v)
	}
	return all
}

// manySeries returns a snapshot of n series as from a large ABS: tokens by method, in the order of
// the tokens.
func manySeries(n int, target string) *Snapshot {
	r := rand.New(rand.NewPCG(1, 2))
	methods := []string{"GET", "POST", "PUT", "DELETE", "PATCH"}
	created := time.UnixMilli(1_790_000_000_123)
	samples := make([]Sample, 0, n)
	for len(samples) < n {
		id := fmt.Sprintf("%016x", r.Uint64())
		for _, m := range methods[:min(len(methods), n-len(samples))] {
			samples = append(samples, Sample{NewSeries(TokenMethodRequests, created, target, id, m), r.Int64N(100_000)})
		}
	}
	return &Snapshot{Blocks: []Block{{TokenMethodRequests, samples}}}
}

// sameSeries compares two decoded expositions: names, types, labels, values.
func sameSeries(t testing.TB, got, want map[string]*dto.MetricFamily) {
	t.Helper()
	if g, w := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)); !slices.Equal(g, w) {
		t.Fatalf("families %v, want %v", g, w)
	}
	for name := range want {
		if !proto.Equal(got[name], want[name]) {
			t.Fatalf("%s differs:\ngot  %v\nwant %v", name, got[name], want[name])
		}
	}
}
