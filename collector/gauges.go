package collector

import (
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// gauges makes the series of gauges once, as long as they are shown, so that a commit
// allocates little and those who push find the same series again.
type gauges struct {
	target string
	known  map[gaugeKey]*knownGauge
	commit int64
	used   int // in this commit
}

// gaugeKey is what tells a family's series apart. Families without a token leave it 0.
type gaugeKey struct {
	family *metrics.Family
	token  tokenid.ID
	a, b   string // the label values after target and token
}

type knownGauge struct {
	series *metrics.Series
	commit int64 // that it was last in
}

func newGauges(target string) *gauges {
	return &gauges{target: target, known: map[gaugeKey]*knownGauge{}}
}

// begin starts the gauges of a commit, and forgets those that are long gone.
func (g *gauges) begin() {
	if len(g.known) > 2*g.used+1000 {
		for k, v := range g.known {
			if v.commit != g.commit {
				delete(g.known, k)
			}
		}
	}
	g.commit++
	g.used = 0
}

// sample is a family's gauge without a token; labels are its values after target.
func (g *gauges) sample(f *metrics.Family, value int64, labels ...string) metrics.Sample {
	key := gaugeKey{family: f}
	switch len(labels) {
	case 0:
	case 1:
		key.a = labels[0]
	default:
		key.a, key.b = labels[0], labels[1]
	}
	return g.of(key, value, labels)
}

// ofToken is a family's gauge of a token; labels are its values after the token.
func (g *gauges) ofToken(f *metrics.Family, value int64, id tokenid.ID, labels ...string) metrics.Sample {
	key := gaugeKey{family: f, token: id}
	if len(labels) == 2 {
		key.a, key.b = labels[0], labels[1]
	}
	if known, ok := g.known[key]; ok {
		return g.use(known, value)
	}
	return g.of(key, value, append([]string{id.String()}, labels...))
}

func (g *gauges) of(key gaugeKey, value int64, labels []string) metrics.Sample {
	known, ok := g.known[key]
	if !ok {
		known = &knownGauge{series: metrics.NewSeries(key.family, time.Time{}, append([]string{g.target}, labels...)...)}
		g.known[key] = known
	}
	return g.use(known, value)
}

func (g *gauges) use(known *knownGauge, value int64) metrics.Sample {
	if known.commit != g.commit {
		known.commit = g.commit
		g.used++
	}
	return metrics.Sample{Series: known.series, Value: value}
}

// block is a family of a single sample.
func (g *gauges) block(f *metrics.Family, value int64) metrics.Block {
	return metrics.Block{Family: f, Samples: []metrics.Sample{g.sample(f, value)}}
}
