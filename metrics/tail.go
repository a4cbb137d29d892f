package metrics

import (
	"bytes"
	"errors"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// tail is what follows the snapshots in an exposition: the exporter's own health, gathered live.
type tail struct {
	plain    []byte
	deflated []byte // only if asked for
	err      error  // what kept families from being gathered or encoded; the rest is there
}

// tailKey tells tails apart.
type tailKey struct {
	format  format
	deflate bool
}

// tails makes tails, one at a time. Scrapes that arrive while one is being made share the next one. So each is gathered
// after the scrape that it serves arrived, as if made for it alone, and yet two hundred scrapers at once cost two
// gatherings, not two hundred.
type tails struct {
	gatherer prometheus.Gatherer
	created  bool
	deflater *deflater

	making  chan struct{} // holds one while somebody gathers
	mu      sync.Mutex
	waiting map[tailKey]*pendingTail
}

// pendingTail has not begun to gather; whoever arrives may still join it.
type pendingTail struct {
	ready chan struct{}
	tail
}

func newTails(gatherer prometheus.Gatherer, created bool, d *deflater) *tails {
	return &tails{
		gatherer: gatherer, created: created, deflater: d,
		making: make(chan struct{}, 1), waiting: make(map[tailKey]*pendingTail),
	}
}

var errGatherPanicked = errors.New("gathering the exporter's own metrics panicked")

// get returns a tail that is gathered after the call began. A tail is shared: it must not be written to.
func (t *tails) get(key tailKey) *tail {
	t.mu.Lock()
	if p, ok := t.waiting[key]; ok {
		t.mu.Unlock()
		<-p.ready
		return &p.tail
	}
	p := &pendingTail{ready: make(chan struct{})}
	p.err = errGatherPanicked
	t.waiting[key] = p
	t.mu.Unlock()

	t.making <- struct{}{}
	defer func() { <-t.making }()
	t.mu.Lock()
	delete(t.waiting, key)
	t.mu.Unlock()
	defer close(p.ready) // also when gathering panics, which net/http reports: who joined must not hang
	p.tail = t.gather(key)
	return &p.tail
}

// gather makes a tail. Families that cannot be gathered or encoded are left out, because the requests that the snapshots
// tell of are worth more than the reason why a health metric failed.
func (t *tails) gather(key tailKey) tail {
	var result tail
	families, err := t.gatherer.Gather()
	failures := []error{err}
	var out bytes.Buffer
	var options []expfmt.EncoderOption
	if t.created {
		options = append(options, expfmt.WithCreatedLines())
	}
	encoder := expfmt.NewEncoder(&out, key.format.standard(), options...)
	for _, family := range families {
		whole := out.Len()
		if err := encoder.Encode(family); err != nil {
			out.Truncate(whole)
			failures = append(failures, err)
		}
	}
	if closer, ok := encoder.(expfmt.Closer); ok {
		failures = append(failures, closer.Close()) // the # EOF of OpenMetrics
	}
	result.plain = out.Bytes()
	if key.deflate {
		result.deflated = t.deflater.final(result.plain)
	}
	result.err = errors.Join(failures...)
	return result
}
