package crash

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// sample is a counter as scraped.
type sample struct {
	family  string
	labels  map[string]string
	value   float64
	created time.Time
}

// page is the result of one scrape: the counters by their text, and gauges without other labels
// than target and state by name and state.
type page struct {
	counters map[string]sample
	gauges   map[string]float64
}

// scraper scrapes in protobuf, the one format that always has created timestamps, by which a series
// that was reset differs from one that fell.
type scraper struct {
	client http.Client
}

func (s *scraper) scrape(ctx context.Context, address string) (*page, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
	answer, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", answer.StatusCode)
	}
	p := &page{counters: map[string]sample{}, gauges: map[string]float64{}}
	decoder := expfmt.NewDecoder(answer.Body, expfmt.ResponseFormat(answer.Header))
	for {
		var f dto.MetricFamily
		err := decoder.Decode(&f)
		if errors.Is(err, io.EOF) {
			return p, nil
		}
		if err != nil {
			return nil, err
		}
		if err := p.add(&f); err != nil {
			return nil, err
		}
	}
}

// errTwice is a page that no Prometheus would accept.
var errTwice = errors.New("is there twice")

func (p *page) add(f *dto.MetricFamily) error {
	if !strings.HasPrefix(f.GetName(), "abs_") {
		return nil
	}
	for _, m := range f.GetMetric() {
		labels := map[string]string{}
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		switch f.GetType() {
		case dto.MetricType_COUNTER:
			s := sample{family: f.GetName(), labels: labels, value: m.GetCounter().GetValue()}
			if c := m.GetCounter().GetCreatedTimestamp(); c != nil {
				s.created = c.AsTime()
			}
			text := s.text()
			if _, ok := p.counters[text]; ok {
				return fmt.Errorf("%s %w", text, errTwice)
			}
			p.counters[text] = s
		case dto.MetricType_GAUGE:
			p.gauges[f.GetName()+labels["state"]] = m.GetGauge().GetValue()
		default:
		}
	}
	return nil
}

func (s *sample) text() string {
	pairs := make([]string, 0, len(s.labels))
	for name, value := range s.labels {
		pairs = append(pairs, fmt.Sprintf("%s=%q", name, value))
	}
	slices.Sort(pairs)
	return s.family + "{" + strings.Join(pairs, ",") + "}"
}

// isHealth returns whether the counter is about the process itself and ends with it.
func (s *sample) isHealth() bool {
	return slices.ContainsFunc(metrics.Table(), func(f *metrics.Family) bool {
		return f.Name == s.family && !f.InSnapshot()
	})
}

// books check each page against the one before, as Prometheus sees them.
type books struct {
	mu    sync.Mutex
	last  *page
	pages int
	wrong error // the first thing that must not be
	// notAtZero counts the series whose 0 no scrape has seen.
	notAtZero int
}

// enter compares a page with the one before. In these runs no token is ever evicted, so that no
// series may end either.
func (b *books) enter(p *page) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pages++
	before := b.last
	b.last = p
	if before == nil {
		return
	}
	for text, was := range before.counters {
		now, ok := p.counters[text]
		switch {
		case !ok && was.isHealth():
		case !ok:
			b.failf("%s is gone; it was %v", text, was.value)
		case now.created.IsZero():
			b.failf("%s has no created timestamp", text)
		case now.created.Before(was.created):
			b.failf("%s was created at %v, and before that at %v", text, now.created, was.created)
		case now.created.Equal(was.created) && now.value < was.value:
			b.failf("%s fell from %v to %v", text, was.value, now.value)
		case now.created.After(was.created) && was.value != 0 && !now.isHealth():
			b.failf("%s was created again at %v, as %v; it had been %v", text, now.created, now.value, was.value)
		}
	}
	for text, now := range p.counters {
		if _, ok := before.counters[text]; !ok && now.value != 0 && !now.isHealth() {
			b.notAtZero++
		}
	}
}

// page returns the last one; nil before the first.
func (b *books) page() *page {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

func (b *books) firstWrong() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wrong
}

func (b *books) failf(format string, args ...any) {
	if b.wrong == nil {
		b.wrong = fmt.Errorf("page %d: %s", b.pages, fmt.Sprintf(format, args...))
	}
}

// sum returns the counters of a family summed by the values of a label; "" sums all.
func (p *page) sum(family, label string) map[string]int64 {
	all := map[string]int64{}
	for _, s := range p.counters {
		if s.family == family {
			all[s.labels[label]] += int64(s.value)
		}
	}
	return all
}

// requests returns abs_requests_total.
func (p *page) requests() int64 { return p.sum("abs_requests_total", "")[""] }
