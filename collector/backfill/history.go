package backfill

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// history is the reading of one target. Its time is that of the history: each window is read at its
// end, and so that no window is read twice, its slot is closed at the end of the next one.
type history struct {
	Target
	o        *Options
	ids      *tokenid.Hasher
	files    files
	ledger   *ledger.Ledger
	saved    checkpoint
	samples  buffer
	refused  int // reports that were answered 500, in a row
	progress func(at time.Time)
}

// requests returns how many were counted.
func (h *history) requests() int64 {
	if h.ledger == nil {
		return 0
	}
	return h.ledger.Requests()
}

const (
	// windowsKept is after how many windows all is saved: what is lost if the process is killed.
	windowsKept = 12
	// bytesKept is after how many bytes of samples.
	bytesKept = 64 << 20
)

// read reads all windows that are not in the checkpoint.
func (h *history) read(ctx context.Context) error {
	if err := h.restore(ctx); err != nil {
		return err
	}
	for at := h.saved.Next; at.Before(h.To); {
		for n := 0; n < windowsKept && h.samples.bytes < bytesKept && at.Before(h.To); n++ {
			var err error
			if at, err = h.window(ctx, at); err != nil {
				return err
			}
			h.progress(at)
		}
		if err := h.keep(at); err != nil {
			return err
		}
	}
	if n := h.saved.Nothing; n > 0 {
		h.o.Log.Warn("reports with neither summary nor rows", "target", h.Name, "reports", n, "consequence", "they are taken for windows without requests")
	}
	return nil
}

// restore continues from the checkpoint, or begins at the first day with requests.
func (h *history) restore(ctx context.Context) error {
	settings := h.settings()
	found, err := h.files.load(&h.saved)
	if err != nil {
		return err
	}
	if !found {
		h.saved = checkpoint{Settings: settings}
		if h.saved.Next, err = h.begin(ctx); err != nil {
			return err
		}
		h.ledger = ledger.New(h.config())
		h.ledger.Advance(h.saved.Next, 0)
		return h.files.sweep(&h.saved)
	}
	for i, was := range h.saved.Settings {
		if i < len(settings) && was != settings[i] {
			return fmt.Errorf("%w: it was begun with %s, and this is %s", errOtherRun, was, settings[i])
		}
	}
	if h.ledger, err = ledger.Restore(h.config(), h.saved.Ledger); err != nil {
		return h.files.damaged(err)
	}
	h.o.Log.Info("history continued", "target", h.Name, "from", h.saved.Next, "requests", h.ledger.Requests())
	return h.files.sweep(&h.saved)
}

// errOtherRun is of a work directory that another command has begun.
var errOtherRun = errors.New("the work directory is that of another history; name another one by --work-dir, or remove it")

// settings returns all that the samples depend on, as people set it.
func (h *history) settings() []string {
	o := h.o
	return []string{
		"--from " + h.From.UTC().Format(time.RFC3339), "--to " + h.To.UTC().Format(time.RFC3339), "--step " + o.Step.String(),
		"--abs.name " + h.Name, "--abs.url " + h.URL, "--abs.timezone " + h.Zone.Location.String(),
		fmt.Sprintf("an inclusive end of %t (--abs.window-end)", h.Zone.Inclusive),
		fmt.Sprintf("--series.max-tokens %d", h.MaxTokens), fmt.Sprintf("--series.max-values %d", h.MaxValues),
		fmt.Sprintf("a choice of values (--series.max-values-of, --series.allow-… and --series.deny-…) of %s", &h.Choices),
		"without " + names(h.Excluded) + " (--series.exclude-families)",
		fmt.Sprintf("--series.dimensions %v", h.Dimensions), "--series.expire " + h.Expire.String(),
		"--abs.labels " + h.Labels.String(),
		"a token key of check " + hex.EncodeToString(o.Key.Check()) + " (--series.token-key-file)",
	}
}

func names(families []*metrics.Family) string {
	all := make([]string, len(families))
	for i, f := range families {
		all[i] = f.Name
	}
	return fmt.Sprint(all)
}

func (h *history) config() ledger.Config {
	o := h.o
	return ledger.Config{
		Target: h.Name, Zone: h.Zone, SlotTimes: ledger.SlotTimes{Slot: o.Step, Reread: o.Step},
		MaxTokens: h.MaxTokens, MaxValues: h.MaxValues, Choices: h.Choices, Dimensions: h.Dimensions,
		DisplaceAfter: ledger.DisplaceAfter, Expire: h.Expire, ResponseCap: ledger.ResponseCap(h.ResponseCap),
	}
}

// errFound ends the reading of a report with rows.
var errFound = errors.New("the report has rows")

// begin returns where the history begins: at the first day of which ABS has requests, so that years
// of which it has none are asked for in days.
func (h *history) begin(ctx context.Context) (time.Time, error) {
	from := h.Zone.Slot(h.From, h.o.Step).From.UTC()
	for at := from; at.Before(h.To); {
		day := h.Zone.Slot(at, 24*time.Hour)
		day.From = at
		if day.To.After(h.To) {
			day.To = h.To
		}
		empty := false
		err := h.retry(ctx, day, func() error {
			summary, err := h.ABS.Tokens(ctx, abs.Window(day), func(*abs.Row) error { return errFound })
			empty = err == nil && summary.Requests == 0
			if errors.Is(err, errFound) || ledger.RefusalOf(err) != ledger.Unavailable {
				return nil // there are requests, or too many for one report
			}
			return err
		})
		if err != nil {
			return at, err
		}
		if !empty {
			if at.After(from) {
				h.o.Log.Warn("history begins later than asked for", "target", h.Name, "from", from, "begins", at,
					"consequence", "ABS reports no requests of the time before: it keeps none, or there were none")
			}
			return at, nil
		}
		at = day.To
		h.progress(at)
	}
	h.o.Log.Warn("no history", "target", h.Name, "from", from, "to", h.To, "consequence", "ABS reports no requests of all this time: nothing is written of it")
	return h.To, nil
}

// window reads the window that begins at a time, and samples the counters at its end, which it
// returns.
func (h *history) window(ctx context.Context, from time.Time) (to time.Time, err error) {
	l := h.ledger
	if to = h.Zone.Slot(from, h.o.Step).To.UTC(); to.After(h.To) {
		to = h.To
	}
	l.Advance(to, to.Sub(from))
	l.Close()
	if err := h.retry(ctx, ledger.Span{From: from, To: to}, func() error { return h.reports(ctx, to) }); err != nil {
		return to, err
	}
	h.sample(from, to)
	return to, nil
}

// sample records the counters at the end of a window. A series that begins with it is 0 just after
// the window's begin: one that ended and returns has a sample at that very time.
func (h *history) sample(from, to time.Time) {
	zero := func(s *metrics.Sample) {
		if s.Series.Created().Equal(from) {
			h.samples.add(s.Series, from.UnixMilli()+1, 0)
		}
	}
	value := func(s *metrics.Sample) { h.samples.add(s.Series, to.UnixMilli(), s.Value) }
	h.stage(from, zero)
	h.stage(to, value)
}

func (h *history) stage(at time.Time, each func(*metrics.Sample)) {
	for _, b := range h.ledger.Stage(at, at) {
		if b.Family.Group != metrics.GroupCounters || slices.Contains(h.Excluded, b.Family) {
			continue
		}
		for i := range b.Samples {
			each(&b.Samples[i])
		}
	}
	h.ledger.Published()
}

// keep saves all that was read so far. The ledger goes on as if the process had been started anew,
// so that what follows does not depend on whether it was.
func (h *history) keep(next time.Time) error {
	state := h.ledger.State()
	state.Length = min(2*state.Length, h.o.Step) // shorter reports were needed for a while
	h.saved.Next, h.saved.Ledger = next, state
	err := h.files.save(&h.saved, &h.samples, !next.Before(h.To))
	if err != nil {
		return fmt.Errorf("what was read cannot be kept: %w", err)
	}
	h.ledger, err = ledger.Restore(h.config(), state)
	return err
}
