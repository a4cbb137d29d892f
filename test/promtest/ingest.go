package promtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// Ingester is a Prometheus whose scrapes are passed in, at any time: days of a virtual clock pass
// in seconds. It stores of a page what a scrape stores, read by the same parser, stale markers
// included.
type Ingester struct {
	Prometheus
	added   labels.Labels // to each series, as a scrape configuration does
	symbols *labels.SymbolTable
	live    map[string]*stored // by the text of the series
	pages   int
}

type stored struct {
	ref    storage.SeriesRef
	labels labels.Labels
	page   int
}

// Open returns an Ingester without samples.
func Open(tb testing.TB) *Ingester {
	tb.Helper()
	// Days pass in seconds: blocks of two hours, made meanwhile, would only be in the way.
	return open(tb, tb.TempDir(), 30*24*time.Hour, labels.EmptyLabels())
}

// OpenIn returns an Ingester without samples in a directory, from which a Prometheus can start once
// the test has ended. It adds labels to each series, names before values, as a scrape does.
func OpenIn(tb testing.TB, dir string, added ...string) *Ingester {
	tb.Helper()
	return open(tb, dir, 24*time.Hour, labels.FromStrings(added...))
}

func open(tb testing.TB, dir string, block time.Duration, added labels.Labels) *Ingester {
	tb.Helper()
	log := slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	options := tsdb.DefaultOptions()
	options.RetentionDuration = 0
	options.MinBlockDuration = block.Milliseconds()
	options.MaxBlockDuration = options.MinBlockDuration
	db, err := tsdb.Open(dir, log, nil, options, nil)
	if err != nil {
		tb.Fatalf("opening the database: %v", err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("closing Prometheus's database: %v", err)
		}
	})
	return &Ingester{
		Prometheus: Prometheus{tb: tb, db: db, engine: newEngine(log)}, added: added, symbols: labels.NewSymbolTable(), live: map[string]*stored{},
	}
}

// Ingest stores a page in Prometheus's text format as scraped at a time.
func (in *Ingester) Ingest(at time.Time, page []byte) {
	in.tb.Helper()
	if err := in.ingest(at.UnixMilli(), page); err != nil {
		in.tb.Fatalf("storing what was scraped at %v: %v", at, err)
	}
}

func (in *Ingester) ingest(at int64, page []byte) error {
	parser, err := textparse.New(page, "text/plain; version=0.0.4", in.symbols, textparse.ParserOptions{})
	if err != nil {
		return err
	}
	in.pages++
	app := in.db.Appender(context.Background())
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errors.Join(err, app.Rollback())
		}
		if entry != textparse.EntrySeries {
			continue
		}
		text, _, v := parser.Series()
		s, ok := in.live[string(text)]
		if !ok {
			s = &stored{}
			parser.Labels(&s.labels)
			if !in.added.IsEmpty() {
				b := labels.NewBuilder(s.labels)
				in.added.Range(func(l labels.Label) { b.Set(l.Name, l.Value) })
				s.labels = b.Labels()
			}
			in.live[string(text)] = s
		}
		if s.page == in.pages {
			return errors.Join(fmt.Errorf("%s is there twice", text), app.Rollback())
		}
		s.page = in.pages
		if s.ref, err = app.Append(s.ref, s.labels, at, v); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", text, err), app.Rollback())
		}
	}
	for text, s := range in.live {
		if s.page == in.pages {
			continue
		}
		if _, err := app.Append(s.ref, s.labels, at, math.Float64frombits(value.StaleNaN)); err != nil {
			return errors.Join(err, app.Rollback())
		}
		delete(in.live, text)
	}
	return app.Commit()
}
