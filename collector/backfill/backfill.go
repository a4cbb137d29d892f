package backfill

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Options are what all targets share.
type Options struct {
	Step time.Duration // length of a window, aligned to the clock; each ends with a sample of every series

	Key tokenid.Key // what token ids are made with

	Dir      string  // where what was read is kept until all is; created if it is missing
	Labels   []Label // of every series, beside its own
	Clock    Clock
	Log      *slog.Logger
	Progress func(Progress) // called after each window; nil: nobody watches
}

// Label is a label that the series have beside their own.
type Label struct{ Name, Value string }

// Series is which series there are.
type Series struct {
	MaxTokens  int                // --series.max-tokens
	MaxValues  int                // --series.max-values
	Dimensions []counts.Dimension // --series.dimensions
	Expire     time.Duration      // --series.expire
	Choices    counts.Choices     // --series.max-values-of, --series.allow-…, --series.deny-…
	Excluded   []*metrics.Family  // --series.exclude-families
}

// Target is one ABS deployment.
type Target struct {
	Series
	Name        string // value of the label target
	URL         string
	Labels      *metrics.OwnLabels
	ABS         ABS
	Zone        ledger.Zone
	ResponseCap int64     // --abs.response-cap
	From        time.Time // where the history begins; it is rounded down to Options.Step
	To          time.Time // where the history ends: a whole minute that ABS's clock names unambiguously
}

// ABS is whom to ask; *abs.Client is one.
type ABS interface {
	Tokens(ctx context.Context, w abs.Window, row func(*abs.Row) error) (abs.Summary, error)
}

// Clock is the time in which a failed report waits for the next try.
type Clock interface {
	Sleep(ctx context.Context, d time.Duration) error
}

// Progress is how far a run is.
type Progress struct {
	Target   string
	Share    float64 // of all that is to be read, 0 to 1
	At       time.Time
	Requests int64 // counted of the target
}

// Written is what was written.
type Written struct{ Series, Samples, Bytes int64 }

// Run reads what is not in Options.Dir yet and then writes all of it to the writer that open
// returns. What it wrote does not depend on how often it was interrupted before. Options.Dir is
// removed once all is written and commit returned without an error.
func Run(ctx context.Context, o Options, targets []Target, open func() (w io.Writer, commit func() error, err error)) (Written, error) {
	dir, err := openWorkDir(o.Dir)
	if err != nil {
		return Written{}, err
	}
	defer dir.close()
	var total, done time.Duration
	for i := range targets {
		total += targets[i].To.Sub(targets[i].From)
	}
	var parts []string
	for i := range targets {
		h := &history{o: &o, Target: targets[i], ids: o.Key.Hasher(), files: files{dir, i}, samples: buffer{labels: targets[i].Labels}}
		h.progress = func(at time.Time) {
			if o.Progress != nil {
				share := float64(done+max(0, at.Sub(h.From))) / float64(total)
				o.Progress(Progress{Target: h.Name, Share: share, At: at, Requests: h.requests()})
			}
		}
		if err := h.read(ctx); err != nil {
			return Written{}, fmt.Errorf("target %s: %w. What was read is kept in %s: the same command goes on from there", h.Name, err, o.Dir)
		}
		parts = append(parts, h.files.paths(&h.saved)...)
		done += h.To.Sub(h.From)
	}
	w, commit, err := open()
	if err != nil {
		return Written{}, err
	}
	written, err := writeText(ctx, w, o.Labels, parts)
	if err == nil {
		err = commit()
	}
	if err != nil {
		return Written{}, fmt.Errorf("the history cannot be written: %w. What was read is kept in %s: the same command writes it again without a request to ABS", err, o.Dir)
	}
	return written, dir.remove()
}
