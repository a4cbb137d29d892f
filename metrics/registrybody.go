package metrics

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"golang.org/x/sync/singleflight"
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
	shared    singleflight.Group
}

// get returns a body that is gathered after the call.
func (r *registryBodies) get(key registryBodyKey) *registryBody {
	name := fmt.Sprint(key)
	b, _, _ := r.shared.Do(name, func() (any, error) { // the error is in the body
		r.gathering <- struct{}{}
		defer func() { <-r.gathering }()
		r.shared.Forget(name) // who comes now shares the next
		return r.gather(key), nil
	})
	return b.(*registryBody)
}

// gather leaves out families that cannot be gathered or encoded: the requests in the snapshots are
// worth more than the reason why a health metric failed.
func (r *registryBodies) gather(key registryBodyKey) *registryBody {
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
	result := &registryBody{plain: out.Bytes(), err: errors.Join(failures...)}
	if key.deflate {
		result.deflated = deflateEnd(result.plain)
	}
	return result
}
