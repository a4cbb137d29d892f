package otlp

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// Bounds of what waits for the receiver of logs.
const (
	queueRecords = 2048
	queueBytes   = 4 << 20
	batchRecords = 512
	batchBytes   = 512 << 10
	largestText  = 16 << 10 // of one value
)

// queue holds encoded log records until the receiver has them. When it is full the oldest go, those of the process's own
// log first: a log that has much to say must not cost an event.
type queue struct {
	resource, scope []byte
	pool            buffers

	mu      sync.Mutex
	records []waiting
	bytes   int
	added   uint64 // records, ever
	own     int    // of the records are of the process's own log
	dropped int64  // not yet told
	ready   chan struct{}
}

// waiting is a record in the queue.
type waiting struct {
	record
	number uint64 // counted from the first ever
	own    bool   // of the process's own log
}

func newQueue(resource, scope []byte) *queue {
	return &queue{resource: resource, scope: scope, ready: make(chan struct{}, 1)}
}

// add takes a record; own is one of the process's own log. It never waits.
func (q *queue) add(r record, own bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.records = append(q.records, waiting{r, q.added, own})
	q.added++
	q.bytes += len(r)
	if own {
		q.own++
	}
	for len(q.records) > queueRecords || q.bytes > queueBytes {
		oldest := 0
		if q.own > 0 {
			oldest = slices.IndexFunc(q.records, func(w waiting) bool { return w.own })
		}
		q.forget(oldest)
		q.dropped++
	}
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

func (q *queue) forget(i int) {
	w := &q.records[i]
	q.bytes -= len(w.record)
	if w.own {
		q.own--
	}
	if i == 0 {
		*w, q.records = waiting{}, q.records[1:]
		return
	}
	q.records = slices.Delete(q.records, i, i+1)
}

// batch makes a request of the oldest records, at most so many, and gives the number of the record after them; nil if there
// are none.
func (q *queue) batch(most int) (b *buffer, records int, next uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	size := 0
	for records < len(q.records) && records < most && (records == 0 || size+len(q.records[records].record) <= batchBytes) {
		size += messageSize(len(q.records[records].record))
		records++
	}
	if records == 0 {
		return nil, 0, 0
	}
	scopeSize := messageSize(len(q.scope)) + size
	resourceSize := messageSize(len(q.resource)) + messageSize(scopeSize)
	b = q.pool.get()
	b.from = 0
	data := appendHead(b.data, fieldRequestResource, resourceSize)
	data = appendMessage(data, fieldResource, q.resource)
	data = appendHead(data, fieldScopes, scopeSize)
	data = appendMessage(data, fieldScope, q.scope)
	for _, r := range q.records[:records] {
		data = appendMessage(data, fieldItems, r.record)
	}
	b.data = data
	return b, records, q.records[records-1].number + 1
}

// done forgets the records before next; some may have been dropped meanwhile.
func (q *queue) done(next uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.records) > 0 && q.records[0].number < next {
		q.forget(0)
	}
	if len(q.records) == 0 {
		q.records = nil
	}
}

// takeDropped is how many records went since it was last asked.
func (q *queue) takeDropped() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.dropped
	q.dropped = 0
	return n
}

func (p *Pusher) runLogs(ctx context.Context) {
	n := notice{log: p.log, what: "logs"}
	failures := 0
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastPush)
			_ = p.pushLogs(last, true, &n) // what is left is lost with the process; the log has told of it
			p.tellDropped()
			cancel()
			return
		case <-p.queue.ready:
		}
		for {
			err := p.pushLogs(ctx, false, &n)
			p.tellDropped()
			if err == nil {
				failures = 0
				break
			}
			failures++
			timer := time.NewTimer(p.pause(failures, err))
			select {
			case <-ctx.Done():
			case <-timer.C:
			}
			timer.Stop()
			if ctx.Err() != nil {
				break
			}
		}
	}
}

func (p *Pusher) tellDropped() {
	p.health.Dropped.WithLabelValues(metrics.SignalLogs).Add(float64(p.queue.takeDropped()))
}

// pushLogs sends all that waits. An error means that it still waits.
func (p *Pusher) pushLogs(ctx context.Context, last bool, n *notice) error {
	whole, most := true, batchRecords
	for {
		b, records, next := p.queue.batch(most)
		if b == nil {
			if whole {
				p.succeeded(metrics.SignalLogs)
			}
			return nil
		}
		r, err := p.logs.send(ctx, b)
		if err == nil {
			p.queue.done(next)
			most = min(2*most, batchRecords)
			if whole = p.took(metrics.SignalLogs, r, n) && whole; whole {
				n.succeeded(p.now())
			}
			continue
		}
		p.health.Requests.WithLabelValues(metrics.SignalLogs, metrics.OutcomeFailure).Inc()
		refused := (*refusal)(nil)
		if ctx.Err() != nil || !errors.As(err, &refused) || refused.retry {
			if !last && ctx.Err() != nil {
				return err // cut short by the end; the last push comes next
			}
			n.failed(p.now(), err, "events wait, the newest 2048 of them, and the process's own log has them all")
			return err
		}
		if refused.tooLarge && records > 1 {
			most = records / 2 // and more again after each that is taken: one record may have been the reason
			continue
		}
		whole = false
		p.queue.done(next)
		p.health.Dropped.WithLabelValues(metrics.SignalLogs).Add(float64(records))
		n.failed(p.now(), err, "these records are given up; the process's own log has them")
	}
}
