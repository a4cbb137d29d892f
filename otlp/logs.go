package otlp

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// Bounds of what waits for the receiver of logs.
const (
	queueRecords = 2048
	queueBytes   = 4 << 20
	batchRecords = 512
	batchBytes   = 1 << 20
	largestText  = 16 << 10 // of one value
)

// queue holds encoded log records until the receiver has them. When it is full the oldest go.
type queue struct {
	resource, scope []byte
	pool            buffers

	mu      sync.Mutex
	records [][]byte
	bytes   int
	first   uint64 // number of records[0], counted from the first ever
	dropped int64  // not yet told
	ready   chan struct{}
}

func newQueue(resource, scope []byte) *queue {
	return &queue{resource: resource, scope: scope, ready: make(chan struct{}, 1)}
}

// add takes a record. It never waits.
func (q *queue) add(record []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.records = append(q.records, record)
	q.bytes += len(record)
	for len(q.records) > queueRecords || q.bytes > queueBytes {
		q.bytes -= len(q.records[0])
		q.records[0] = nil
		q.records = q.records[1:]
		q.first++
		q.dropped++
	}
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// batch makes a request of the oldest records, and gives the number of the record after them; nil if there are none.
func (q *queue) batch() (b *buffer, records int, next uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	size := 0
	for records < len(q.records) && records < batchRecords && (records == 0 || size+len(q.records[records]) <= batchBytes) {
		size += messageSize(len(q.records[records]))
		records++
	}
	if records == 0 {
		return nil, 0, q.first
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
		data = appendMessage(data, fieldItems, r)
	}
	b.data = data
	return b, records, q.first + uint64(records)
}

// done forgets the records before next; some may have been dropped meanwhile.
func (q *queue) done(next uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.first < next && len(q.records) > 0 {
		q.bytes -= len(q.records[0])
		q.records[0] = nil
		q.records = q.records[1:]
		q.first++
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
	whole := true
	for {
		b, records, next := p.queue.batch()
		if b == nil {
			if whole {
				p.succeeded(metrics.SignalLogs)
			}
			return nil
		}
		r, err := p.logs.send(ctx, b)
		if err == nil {
			p.queue.done(next)
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
		whole = false
		p.queue.done(next)
		p.health.Dropped.WithLabelValues(metrics.SignalLogs).Add(float64(records))
		n.failed(p.now(), err, "these events are given up; the process's own log has them")
	}
}
