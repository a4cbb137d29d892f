package metrics

import (
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// defaultKeepPlain is enough for some 150,000 series.
const defaultKeepPlain = 16 << 20

// Options of an Exposition. The zero value is a reasonable default.
type Options struct {
	// OpenMetricsCreated puts _created lines into OpenMetrics text. A Prometheus without the feature for them stores them
	// as series.
	OpenMetricsCreated bool
	// Registerer, if set, gets client_golang's promhttp_* families, which tell of the scrapes. It should be what the
	// gatherer gathers from.
	Registerer prometheus.Registerer
	// Logger, if set, is told when the exporter's own metrics cannot be gathered.
	Logger *slog.Logger
	// KeepPlain is how many bytes an uncompressed exposition may have to be kept. One that is larger is kept compressed
	// only, a tenth of the size, and is rendered anew for whoever asks for it plain: that is as fast as decompressing it,
	// and does not wait for it to be compressed. 0: 16 MiB.
	KeepPlain int64
}

// Exposition serves /metrics: the snapshots that the targets published last, and behind them the exporter's own health,
// gathered live. Of each set of snapshots, each format and its compressed form are rendered at most once, when first
// asked for; a scrape copies bytes.
type Exposition struct {
	options  Options
	handler  http.Handler // serve, instrumented
	tails    *tails
	pages    pages
	deflater deflater
	errors   *prometheus.CounterVec // nil without Registerer

	publishing sync.Mutex // one Publish at a time; scrapes never take it
	current    atomic.Pointer[publication]
	renderings atomic.Int64 // made so far, for tests
}

// publication is what is served from one Publish to the next, with what was rendered of it so far. Scrapes that began
// with it end with it, however long they take.
type publication struct {
	snapshots map[string]*Snapshot
	groups    []group
	length    func() int64 // about how long its text is
	plain     [formatCount]rendering
	packed    [formatCount]rendering
}

// rendering is a body that is made when first asked for, by one of those who ask.
type rendering struct {
	once sync.Once
	body *body
}

// NewExposition serves what is published to it, and what health gathers. It panics when opts.Registerer holds other
// metrics of the names promhttp_*.
func NewExposition(health prometheus.Gatherer, opts Options) *Exposition {
	if opts.KeepPlain == 0 {
		opts.KeepPlain = defaultKeepPlain
	}
	e := &Exposition{options: opts}
	e.tails = newTails(health, opts.OpenMetricsCreated, &e.deflater)
	e.handler = http.HandlerFunc(e.serve)
	if opts.Registerer != nil {
		e.errors = prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "promhttp_metric_handler_errors_total",
			Help: "Total number of internal errors encountered by the promhttp metric handler.",
		}, []string{"cause"})
		e.errors.WithLabelValues(causeGathering)
		opts.Registerer.MustRegister(e.errors)
		e.handler = promhttp.InstrumentMetricHandler(opts.Registerer, e.handler)
	}
	e.current.Store(newPublication(nil))
	return e
}

// causeGathering is promhttp's word for it.
const causeGathering = "gathering"

// Publish replaces, atomically, what is served of a target; nil takes the target away. It waits for no scrape. The
// snapshot must not be written to afterwards, and what it must hold is what Snapshot.Check checks.
func (e *Exposition) Publish(target string, s *Snapshot) {
	e.publishing.Lock()
	defer e.publishing.Unlock()
	snapshots := maps.Clone(e.current.Load().snapshots)
	if s == nil {
		delete(snapshots, target)
	} else {
		snapshots[target] = s
	}
	e.current.Store(newPublication(snapshots))
}

// Snapshots are what is served now, by target.
func (e *Exposition) Snapshots() map[string]*Snapshot {
	return maps.Clone(e.current.Load().snapshots)
}

func newPublication(snapshots map[string]*Snapshot) *publication {
	if snapshots == nil {
		snapshots = make(map[string]*Snapshot)
	}
	p := &publication{snapshots: snapshots, groups: groupByFamily(snapshots)}
	p.length = sync.OnceValue(func() int64 { return estimate(p.groups) })
	return p
}

// groupByFamily puts the blocks of all targets under one header a family, which the formats demand: families in the
// order of the table (what is in no table, as in tests, comes last), targets by name, blocks as they stand.
func groupByFamily(snapshots map[string]*Snapshot) []group {
	var groups []group
	index := make(map[*Family]int)
	for _, f := range Table() {
		index[f] = len(groups)
		groups = append(groups, group{family: f})
	}
	for _, target := range slices.Sorted(maps.Keys(snapshots)) {
		for _, block := range snapshots[target].Blocks {
			i, ok := index[block.Family]
			if !ok {
				i = len(groups)
				index[block.Family] = i
				groups = append(groups, group{family: block.Family})
			}
			if len(block.Samples) > 0 {
				groups[i].blocks = append(groups[i].blocks, block.Samples)
			}
		}
	}
	// A header without samples says nothing.
	return slices.DeleteFunc(groups, func(g group) bool { return len(g.blocks) == 0 })
}

// render writes the publication in the format f.
func (e *Exposition) render(p *publication, f format, w io.Writer) {
	e.renderings.Add(1)
	pg := e.pages.get(w)
	defer e.pages.put(pg)
	encode(pg, f, e.options.OpenMetricsCreated, p.groups)
}

// stream renders the publication to a scraper, who may go away meanwhile.
func (e *Exposition) stream(p *publication, f format, w io.Writer) error {
	s := &scraper{w: w}
	e.render(p, f, s)
	return s.err
}

// scraper takes nothing any more after its first error.
type scraper struct {
	w   io.Writer
	err error
}

// Write passes on.
func (s *scraper) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(p)
	s.err = err
	return n, err
}

// plainBody is the publication in the format f, or nil where it is so large that it is kept compressed only.
func (e *Exposition) plainBody(p *publication, f format) *body {
	if p.length() > e.options.KeepPlain {
		return nil
	}
	r := &p.plain[f]
	r.once.Do(func() {
		b := new(body)
		e.render(p, f, b)
		b.plain = b.size
		r.body = b
	})
	return r.body
}

// packedBody is the publication in the format f, compressed.
func (e *Exposition) packedBody(p *publication, f format) *body {
	r := &p.packed[f]
	r.once.Do(func() {
		r.body = e.deflater.compress(func(w io.Writer) { e.render(p, f, w) })
	})
	return r.body
}
