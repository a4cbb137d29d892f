package otlp

import (
	"sync"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// buffer is a request. Whoever gets one releases it once, when nobody reads it any more.
type buffer struct {
	data []byte // the room that is used anew
	from int    // where the request begins in it
	pool *buffers
}

func (b *buffer) request() []byte { return b.data[b.from:] }
func (b *buffer) release()        { b.pool.put(b) }

// buffers keeps the rooms of requests. Two are enough: one is sent while the next is made.
type buffers struct {
	mu   sync.Mutex
	free []*buffer
}

const keptBuffers = 2

func (p *buffers) get() *buffer {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free = p.free[:n-1]
		b.data = b.data[:0]
		return b
	}
	return &buffer{pool: p}
}

func (p *buffers) put(b *buffer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) < keptBuffers {
		p.free = append(p.free, b)
	}
}

// writer makes requests of metrics that stay under a limit, and hands each on when it is full.
type writer struct {
	limit    int // bytes of a request
	resource []byte
	scope    []byte
	pool     *buffers
	emit     func(b *buffer, points int) error

	buf    *buffer
	room   int // kept free at the front for what is known only when the request is full
	points int
}

// headRoom is more than the tags and lengths around resource, scope and metrics take.
const headRoom = 64

// start makes room for the next request.
func (w *writer) start() {
	w.buf = w.pool.get()
	w.room = headRoom + len(w.resource) + len(w.scope)
	if cap(w.buf.data) < w.room {
		w.buf.data = make([]byte, 0, 64<<10)
	}
	w.buf.data = w.buf.data[:w.room]
}

// finish hands on what was written.
func (w *writer) finish() error {
	if w.buf == nil {
		return nil
	}
	b, points := w.buf, w.points
	w.buf, w.points = nil, 0
	// Metrics stand at the end of ScopeMetrics, that at the end of ResourceMetrics, that at the end of the request: so
	// everything before them can be written last.
	content := len(b.data) - w.room
	scopeSize := messageSize(len(w.scope)) + content
	resourceSize := messageSize(len(w.resource)) + messageSize(scopeSize)
	head := make([]byte, 0, w.room)
	head = appendHead(head, fieldRequestResource, resourceSize)
	head = appendMessage(head, fieldResource, w.resource)
	head = appendHead(head, fieldScopes, scopeSize)
	head = appendMessage(head, fieldScope, w.scope)
	b.from = w.room - len(head)
	copy(b.data[b.from:], head)
	return w.emit(b, points)
}

// drop gives up what was written and not handed on.
func (w *writer) drop() {
	if w.buf != nil {
		w.buf.release()
		w.buf, w.points = nil, 0
	}
}

// metricHead is at most what a Metric message takes besides its points.
func (f *family) metricHead() int { return len(f.head) + 24 }

// space tells how many bytes of points fit into the request under way, one of them of the size least. It hands the
// request on if there is no room, and a larger point gets a request of its own.
func (w *writer) space(f *family, least int) (int, error) {
	if w.buf == nil {
		w.start()
	}
	free := w.limit - len(w.buf.data) - f.metricHead()
	if free < least && w.points > 0 {
		if err := w.finish(); err != nil {
			return 0, err
		}
		w.start()
		free = w.limit - len(w.buf.data) - f.metricHead()
	}
	return max(free, least), nil
}

// head begins a Metric with points of the size.
func (w *writer) head(f *family, size, points int) {
	trailer := len(f.kind.trailer())
	b := appendHead(w.buf.data, fieldItems, len(f.head)+messageSize(size+trailer))
	b = append(b, f.head...)
	w.buf.data = appendHead(b, f.kind.dataField(), size+trailer)
	w.points += points
}

// tail ends a Metric.
func (w *writer) tail(f *family) { w.buf.data = append(w.buf.data, f.kind.trailer()...) }

// numberSize is the size of a NumberDataPoint of the stream.
func numberSize(st *stream) int {
	size := len(st.attrs) + 2*fixed64Size
	if st.start != 0 {
		size += fixed64Size
	}
	return size
}

// samples writes the values of a snapshot, whole numbers.
func (w *writer) samples(f *family, streams []*stream, samples []metrics.Sample, now uint64) error {
	for len(streams) > 0 {
		space, err := w.space(f, messageSize(numberSize(streams[0])))
		if err != nil {
			return err
		}
		size, n := 0, 0
		for ; n < len(streams); n++ {
			more := messageSize(numberSize(streams[n]))
			if size+more > space {
				break
			}
			size += more
		}
		w.head(f, size, n)
		b := w.buf.data
		for i, st := range streams[:n] {
			b = appendHead(b, fieldDataPoints, numberSize(st))
			b = append(b, st.attrs...)
			if st.start != 0 {
				b = appendFixed64(b, fieldStart, st.start)
			}
			b = appendFixed64(b, fieldTime, now)
			b = appendFixed64(b, fieldAsInt, uint64(samples[i].Value))
		}
		w.buf.data = b
		w.tail(f)
		streams, samples = streams[n:], samples[n:]
	}
	return nil
}

// blob writes points that are encoded already, tags and lengths included; ends are where each ends.
func (w *writer) blob(f *family, points []byte, ends []int) error {
	from, first := 0, 0
	for first < len(ends) {
		space, err := w.space(f, ends[first]-from)
		if err != nil {
			return err
		}
		last := first
		for last+1 < len(ends) && ends[last+1]-from <= space {
			last++
		}
		w.head(f, ends[last]-from, last+1-first)
		w.buf.data = append(w.buf.data, points[from:ends[last]]...)
		w.tail(f)
		from, first = ends[last], last+1
	}
	return nil
}

// endings writes a point without a value for each stream that has ended. Each stands in a Metric of its own, after the
// live ones: the Collector's Prometheus exporter passes over everything that follows such a point in the same Metric.
func (w *writer) endings(f *family, now uint64) error {
	var point []byte
	for _, e := range f.ended {
		size := len(e.attrs) + fixed64Size + len(f.shape) + protowire.SizeTag(f.kind.flagsField()) + 1
		if e.start != 0 {
			size += fixed64Size
		}
		point = appendHead(point[:0], fieldDataPoints, size)
		point = append(point, e.attrs...)
		if e.start != 0 {
			point = appendFixed64(point, fieldStart, e.start)
		}
		point = appendFixed64(point, fieldTime, now)
		point = append(point, f.shape...)
		point = appendVarint(point, f.kind.flagsField(), flagNoRecordedValue)
		if err := w.blob(f, point, []int{len(point)}); err != nil {
			return err
		}
	}
	return nil
}
