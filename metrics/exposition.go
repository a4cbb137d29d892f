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

// keepPlain is how large, in bytes, an uncompressed exposition may be to be kept: some 150,000
// series. A larger one is kept compressed only, a tenth of the size, and is rendered again for each
// scrape without compression: that is as fast as decompressing it, and does not wait for the
// compression.
const keepPlain = 16 << 20

// Options configures an Exposition. The zero value is a reasonable default.
type Options struct {
	// OpenMetricsCreated adds _created lines to OpenMetrics text. A Prometheus without the feature
	// for them stores them as series.
	OpenMetricsCreated bool
	// Registerer, if set, gets client_golang's promhttp_* families, which count the scrapes. It
	// should be what the gatherer gathers from.
	Registerer prometheus.Registerer
	// Committed, if set, is called after each Publish but that of an interim snapshot.
	Committed func()
	// Logger, if set, logs when the exporter's own metrics cannot be gathered.
	Logger *slog.Logger
	// MaxRequests is how many scrapes are answered at once; the others get status 503. 0: all are.
	MaxRequests int
}

// Exposition serves /metrics: the latest snapshots of the targets, and after them the exporter's
// own metrics, gathered for the scrape. The snapshots are rendered at most once in each format,
// compressed and not, when first requested; a scrape copies bytes.
type Exposition struct {
	options   Options
	keepPlain int64        // keepPlain, less in tests
	handler   http.Handler // serve, instrumented
	health    prometheus.Gatherer
	registry  registryBodies
	errors    *prometheus.CounterVec // nil without Registerer

	publishing sync.Mutex // one Publish at a time; scrapes never lock it
	current    atomic.Pointer[publication]
	renderings atomic.Int64 // made so far, for tests
}

// publication is what is served from one Publish to the next, and its renderings so far. Scrapes
// that began with it end with it, however long they last.
type publication struct {
	snapshots map[string]*Snapshot
	groups    []FamilySamples
	// The body in each format, rendered at the first call. plain returns nil if it is too large to
	// be kept uncompressed.
	plain, compressed [formatCount]func() *body
}

// NewExposition returns a handler that serves what is published to it, and what health gathers. It
// panics when opts.Registerer holds other metrics with the names promhttp_*.
func NewExposition(health prometheus.Gatherer, opts Options) *Exposition {
	e := &Exposition{options: opts, keepPlain: keepPlain, health: health}
	e.registry = registryBodies{gatherer: e, created: opts.OpenMetricsCreated, gathering: make(chan struct{}, 1)}
	e.handler = http.HandlerFunc(e.serve)
	if opts.MaxRequests > 0 {
		e.handler = atMost(opts.MaxRequests, e.handler)
	}
	if opts.Registerer != nil {
		e.errors = prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "promhttp_metric_handler_errors_total",
			Help: "Total number of internal errors encountered by the promhttp metric handler.",
		}, []string{"cause"})
		e.errors.WithLabelValues(causeGathering)
		opts.Registerer.MustRegister(e.errors)
		e.handler = promhttp.InstrumentMetricHandler(opts.Registerer, e.handler)
	}
	e.current.Store(e.newPublication(map[string]*Snapshot{}))
	return e
}

// causeGathering is promhttp's value of the label cause.
const causeGathering = "gathering"

// Publish atomically replaces the snapshot of a target; nil removes the target. It waits for no
// scrape. The snapshot must not be written to afterwards.
func (e *Exposition) Publish(target string, s *Snapshot) {
	e.publishing.Lock()
	defer e.publishing.Unlock()
	snapshots := e.Snapshots()
	if s == nil {
		delete(snapshots, target)
	} else {
		snapshots[target] = s
	}
	e.current.Store(e.newPublication(snapshots))
	if e.options.Committed != nil && (s == nil || !s.Interim) {
		e.options.Committed()
	}
}

// Published returns what is published, as a scrape shows it. It must not be written to.
func (e *Exposition) Published() []FamilySamples { return e.current.Load().groups }

// Snapshots returns the current snapshots by target.
func (e *Exposition) Snapshots() map[string]*Snapshot {
	return maps.Clone(e.current.Load().snapshots)
}

func (e *Exposition) newPublication(snapshots map[string]*Snapshot) *publication {
	p := &publication{snapshots: snapshots, groups: groupByFamily(snapshots)}
	large := sync.OnceValue(func() bool { return estimate(p.groups) > e.keepPlain })
	for f := range formatCount {
		p.plain[f] = sync.OnceValue(func() *body {
			if large() {
				return nil
			}
			b := new(body)
			e.render(p, f, b)
			b.plain = b.size
			return b
		})
		p.compressed[f] = sync.OnceValue(func() *body {
			return compress(func(w io.Writer) { e.render(p, f, w) })
		})
	}
	return p
}

// groupByFamily puts the samples of all targets under one header per family, as the formats
// require: families in the order of the table, then targets by name, then blocks in their order. A
// family without samples has no header.
func groupByFamily(snapshots map[string]*Snapshot) []FamilySamples {
	blocks := make(map[*Family][]TargetSamples)
	for _, target := range slices.Sorted(maps.Keys(snapshots)) {
		s := snapshots[target]
		for _, b := range s.Blocks {
			if len(b.Samples) > 0 {
				blocks[b.Family] = append(blocks[b.Family], TargetSamples{b.Samples, s.Labels})
			}
		}
	}
	groups := make([]FamilySamples, 0, len(blocks))
	for _, f := range Table() {
		if samples, ok := blocks[f]; ok {
			groups = append(groups, FamilySamples{Family: f, Blocks: samples})
		}
	}
	return groups
}

// render writes the snapshots of the publication in the format f to w, which never fails.
func (e *Exposition) render(p *publication, f format, w io.Writer) {
	e.renderings.Add(1)
	encode(w, f, e.options.OpenMetricsCreated, p.groups)
}
