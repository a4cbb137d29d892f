package metrics

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// standardEncoding returns the families encoded by expfmt.
func standardEncoding(t testing.TB, families []*dto.MetricFamily, f format, created bool) string {
	t.Helper()
	var options []expfmt.EncoderOption
	if created {
		options = append(options, expfmt.WithCreatedLines())
	}
	var b bytes.Buffer
	encoder := expfmt.NewEncoder(&b, f.standard(), options...)
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			t.Fatal(err)
		}
	}
	if err := encoder.(expfmt.Closer).Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// sameLines compares two texts line by line: the values as numbers, everything else byte by byte.
func sameLines(got, want string) error {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] == w[i] {
			continue
		}
		gi, wi := strings.LastIndexByte(g[i], ' '), strings.LastIndexByte(w[i], ' ')
		if strings.HasPrefix(g[i], "#") || gi < 0 || wi < 0 || g[i][:gi] != w[i][:wi] {
			return fmt.Errorf("line %d:\ngot  %s\nwant %s", i+1, g[i], w[i])
		}
		gv, err1 := strconv.ParseFloat(g[i][gi+1:], 64)
		wv, err2 := strconv.ParseFloat(w[i][wi+1:], 64)
		if err1 != nil || err2 != nil {
			return fmt.Errorf("line %d: %w", i+1, errors.Join(err1, err2))
		}
		if strings.Contains(g[i][:gi], "_created") {
			gv, wv = math.Round(gv*1000), math.Round(wv*1000) // the standard encoder rounds in a float
		}
		if gv != wv {
			return fmt.Errorf("line %d: value %v, want %v: %s", i+1, gv, wv, g[i])
		}
	}
	if len(g) != len(w) {
		return fmt.Errorf("%d lines, want %d", len(g), len(w))
	}
	return nil
}

// The hand-written encoders equal the standard ones, series for series, on random snapshots of one
// to three targets with label values that break a careless encoder.
func TestExpositionEqualsStandardEncoders(t *testing.T) {
	runs := 100
	if testing.Short() {
		runs = 20
	}
	for seed := range uint64(runs) {
		r := rand.New(rand.NewPCG(seed, 7))
		snapshots := map[string]*Snapshot{}
		for i := range 1 + r.IntN(3) {
			target := []string{"shop", `back"office`, "日本\n"}[i]
			snapshots[target] = randomSnapshot(r, target)
		}
		families := standardFamilies(snapshots)
		for _, created := range []bool{false, true} {
			e := NewExposition(noHealth(), Options{OpenMetricsCreated: created})
			for target, s := range snapshots {
				e.Publish(target, s)
			}
			for accept, f := range map[string]format{
				acceptText: formatText, acceptOpenMetrics: formatOpenMetrics,
				acceptOpenMetrics00: formatOpenMetrics, acceptProtobuf: formatProtobuf,
			} {
				a := scrape(t, e, accept, "")
				want := standardEncoding(t, families, f, created)
				if f == formatProtobuf {
					sameSeries(t, decodeAs(t, a.text, a.header.Get("Content-Type")), decodeAs(t, want, acceptProtobuf))
				} else if err := sameLines(a.text, want); err != nil {
					t.Fatalf("seed %d, %s, created %v: %v", seed, accept, created, err)
				}
				if compressed := scrape(t, e, accept, "gzip"); compressed.text != a.text {
					t.Fatalf("seed %d, %s: the gzip body differs", seed, accept)
				}
			}
		}
	}
}

// Values beyond the exact range of floats are exact in text and the nearest float in protobuf.
func TestExtremeValues(t *testing.T) {
	e := NewExposition(noHealth(), Options{})
	for _, v := range []int64{math.MaxInt64, math.MinInt64, 1<<53 + 1} {
		e.Publish("a", &Snapshot{Blocks: []Block{{Requests, []Sample{{mustSeries(Requests, "a"), v}}}}})
		if got, want := scrape(t, e, "", "").text, fmt.Sprintf("{target=\"a\"} %d\n", v); !strings.HasSuffix(got, want) {
			t.Errorf("got %q, want it to end in %q", got, want)
		}
		families := decodeAs(t, scrape(t, e, acceptProtobuf, "").text, acceptProtobuf)
		if got := families[Requests.Name].Metric[0].Counter.GetValue(); got != float64(v) {
			t.Errorf("protobuf has %v for %d", got, v)
		}
	}
}

func TestCreatedTimestamps(t *testing.T) {
	for ms, want := range map[int64]string{
		1_520_872_607_123: "1520872607.123", 1_520_872_607_000: "1520872607", 1_520_872_607_050: "1520872607.050",
		1: "0.001", -1: "-0.001", -1500: "-1.500",
	} {
		if got := string(appendSeconds(nil, ms)); got != want {
			t.Errorf("%d ms: got %s, want %s", ms, got, want)
		}
		s := &Series{family: Requests, created: ms, text: mustSeries(Requests, "a").text}
		var b bytes.Buffer
		encode(&b, formatProtobuf, false, []FamilySamples{{Requests, []TargetSamples{{Samples: []Sample{{s, 1}}}}}})
		m := decodeAs(t, b.String(), acceptProtobuf)[Requests.Name].Metric[0]
		if got := m.Counter.CreatedTimestamp.AsTime(); !got.Equal(s.Created()) {
			t.Errorf("%d ms: protobuf has %v, the series %v", ms, got, s.Created())
		}
	}
}

// A series returns the values that it was made from, whatever they are.
func FuzzSeriesLabels(f *testing.F) {
	odd := nasty()
	for i := range odd {
		f.Add(odd[i], odd[(i+1)%len(odd)], odd[(i+5)%len(odd)])
	}
	f.Fuzz(func(t *testing.T, a, b, c string) {
		want := []string{a, b, c}
		got := values(mustSeries(TokenMethodRequests, want...))
		for i := range want {
			if !utf8.ValidString(got[i]) || got[i] != strings.ToValidUTF8(want[i], "\uFFFD") {
				t.Fatalf("value %d is %q, was %q", i, got[i], want[i])
			}
		}
		s := &Snapshot{Blocks: []Block{{TokenMethodRequests, []Sample{{mustSeries(TokenMethodRequests, want...), 1}}}}}
		e := NewExposition(noHealth(), Options{})
		e.Publish("a", s)
		family := decodeAs(t, scrape(t, e, acceptProtobuf, "").text, acceptProtobuf)[TokenMethodRequests.Name]
		for i, l := range family.Metric[0].Label {
			if l.GetValue() != got[i] {
				t.Fatalf("protobuf: value %d is %q, was %q", i, l.GetValue(), got[i])
			}
		}
		family = decodeAs(t, scrape(t, e, acceptText, "").text, acceptText)[TokenMethodRequests.Name]
		for i, l := range family.Metric[0].Label {
			if l.GetValue() != got[i] {
				t.Fatalf("text: value %d is %q, was %q", i, l.GetValue(), got[i])
			}
		}
	})
}
