package metrics

import (
	"bytes"
	"errors"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// registryBody is the second part of an exposition, after the snapshots: the exporter's own
// metrics, gathered for a scrape. It is shared and must not be written to.
type registryBody struct {
	plain    []byte
	deflated []byte // only if requested
	err      error  // why families could not be gathered or encoded; the others are there
}

// registryBodyKey distinguishes the forms of a registryBody.
type registryBodyKey struct {
	format  format
	deflate bool
}

// registryBodies gathers one registryBody at a time. Scrapes that arrive while one is being
// gathered share the next one. So each scrape gets metrics gathered after it arrived, as if for it
// alone, and yet two hundred scrapers at once cost two gatherings and not two hundred.
type registryBodies struct {
	gatherer prometheus.Gatherer
	created  bool // write _created lines

	gathering chan struct{} // holds one element while a body is being gathered
	mu        sync.Mutex
	waiting   map[registryBodyKey]*pendingBody
}

// pendingBody is not being gathered yet: scrapes that arrive may still share it.
type pendingBody struct {
	ready chan struct{}
	registryBody
}

var errGatherPanicked = errors.New("gathering the exporter's own metrics panicked")

// get returns a body that is gathered after the call.
func (r *registryBodies) get(key registryBodyKey) *registryBody {
	r.mu.Lock()
	if p, ok := r.waiting[key]; ok {
		r.mu.Unlock()
		<-p.ready
		return &p.registryBody
	}
	p := &pendingBody{ready: make(chan struct{}), registryBody: registryBody{err: errGatherPanicked}}
	r.waiting[key] = p
	r.mu.Unlock()

	r.gathering <- struct{}{}
	defer func() { <-r.gathering }()
	r.mu.Lock()
	delete(r.waiting, key)
	r.mu.Unlock()
	defer close(p.ready) // also when gathering panics, which net/http reports: the others must not hang
	p.registryBody = r.gather(key)
	return &p.registryBody
}

// gather leaves out families that cannot be gathered or encoded: the requests in the snapshots are
// worth more than the reason why a health metric failed.
func (r *registryBodies) gather(key registryBodyKey) registryBody {
	families, err := r.gatherer.Gather()
	failures := []error{err}
	var out bytes.Buffer
	var options []expfmt.EncoderOption
	if r.created {
		options = append(options, expfmt.WithCreatedLines())
	}
	encoder := expfmt.NewEncoder(&out, key.format.standard(), options...)
	for _, family := range families {
		complete := out.Len()
		if err := encoder.Encode(family); err != nil {
			out.Truncate(complete)
			failures = append(failures, err)
		}
	}
	if closer, ok := encoder.(expfmt.Closer); ok {
		failures = append(failures, closer.Close()) // the # EOF of OpenMetrics
	}
	result := registryBody{plain: out.Bytes(), err: errors.Join(failures...)}
	if key.deflate {
		result.deflated = deflateEnd(result.plain)
	}
	return result
}
