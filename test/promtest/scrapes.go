package promtest

import (
	"context"
	"sync"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
)

// scrapes is between the scrape manager and the database and counts what is stored, so that a test
// can wait for scrapes instead of for time.
type scrapes struct {
	db storage.AppendableV2

	mu      sync.Mutex
	stored  int
	changed chan struct{} // closed and replaced at each scrape stored
}

func newScrapes(db storage.AppendableV2) *scrapes {
	return &scrapes{db: db, changed: make(chan struct{})}
}

// AppenderV2 implements storage.AppendableV2.
func (s *scrapes) AppenderV2(ctx context.Context) storage.AppenderV2 {
	return &appender{AppenderV2: s.db.AppenderV2(ctx), scrapes: s}
}

func (s *scrapes) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stored
}

func (s *scrapes) add() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stored++
	close(s.changed)
	s.changed = make(chan struct{})
}

// wait returns once n scrapes are stored in all, or with ctx's error.
func (s *scrapes) wait(ctx context.Context, n int) error {
	for {
		s.mu.Lock()
		enough, changed := s.stored >= n, s.changed
		s.mu.Unlock()
		if enough {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// appender is one transaction. It is a scrape if it has a value for up; the stale markers at the
// end of a run are not.
type appender struct {
	storage.AppenderV2
	scrapes *scrapes
	up      bool
}

func (a *appender) Append(ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AppendV2Options) (storage.SeriesRef, error) {
	ref, err := a.AppenderV2.Append(ref, ls, st, t, v, h, fh, opts)
	if err == nil && !value.IsStaleNaN(v) && ls.Get(model.MetricNameLabel) == "up" {
		a.up = true
	}
	return ref, err
}

func (a *appender) Commit() error {
	if err := a.AppenderV2.Commit(); err != nil {
		return err
	}
	if a.up {
		a.scrapes.add()
	}
	return nil
}
