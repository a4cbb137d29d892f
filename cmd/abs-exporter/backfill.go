package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/logging"
	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/collector/atomicfile"
	"github.com/abs-exporter/abs-exporter/collector/backfill"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// runBackfill writes the history of every target.
func runBackfill(ctx context.Context, c *config.Backfill, clock collector.Clock, stdout, stderr io.Writer) error {
	watch := newProgressWatch(stderr, clock)
	log := logging.New(c.Log, watch)
	watch.log = log
	for _, w := range c.Warnings {
		log.Warn("doubtful setting", "setting", w.Setting, "detail", w.Detail, "consequence", w.Consequence)
	}
	targets := make([]backfill.Target, len(c.Targets))
	var clients []*abs.Client
	defer func() {
		for _, client := range clients {
			client.Close()
		}
	}()
	for i := range c.Targets {
		t := &c.Targets[i]
		client, err := newClient(t, func(c *abs.Config) { c.Now = clock.Now }, log)
		if err != nil {
			return fmt.Errorf("target %s: %w", t.Name, err)
		}
		clients = append(clients, client)
		targets[i] = backfill.Target{
			Series: backfill.Series{
				MaxTokens: t.Series.MaxTokens, MaxValues: t.Series.MaxValues, Dimensions: t.TokenDimensions, Expire: t.Series.Expire,
				Choices: t.Choices, Excluded: t.Excluded,
			},
			Name: t.Name, URL: t.URL, Labels: metrics.NewOwnLabels(t.Labels), ABS: client,
			Zone:        ledger.Zone{Location: t.Location, Inclusive: t.Inclusive()},
			ResponseCap: int64(t.ResponseCap), From: c.Histories[i].From, To: c.Histories[i].To,
		}
	}
	var file *atomicfile.File // none for the standard output
	defer func() { file.Abandon() }()
	written, err := backfill.Run(ctx, backfill.Options{
		Step: c.Step, Key: c.Key, Dir: c.WorkDir, Labels: c.Labels, Clock: clock, Log: log, Progress: watch.show,
	}, targets, func() (_ io.Writer, commit func() error, err error) {
		if c.Output == "-" {
			return stdout, func() error { return nil }, nil
		}
		// The file appears only once it is whole.
		file, err = atomicfile.Create(c.Output, 0o600)
		if err != nil {
			return nil, nil, err
		}
		return file, file.Commit, nil
	})
	watch.clear()
	if err != nil {
		return err
	}
	log.Info("history written", "output", c.Output, "series", written.Series, "samples", written.Samples, "bytes", written.Bytes,
		"consequence", "import it by "+importCommand(c)+", from "+c.End().Add(headOfPrometheus).UTC().Format(time.RFC3339)+" on")
	return nil
}

// headOfPrometheus is how long a Prometheus holds samples in memory: blocks of this time must not
// be added to it.
const headOfPrometheus = 3 * time.Hour

// importCommand is what makes blocks of the history. promtool reads the file once for each block:
// in blocks of two hours, its default, weeks would take it days.
func importCommand(c *config.Backfill) string {
	file := c.Output
	if file == "-" {
		file = "FILE"
	}
	return "promtool tsdb create-blocks-from --max-block-duration=24h openmetrics " + file + " DATA_DIRECTORY_OF_PROMETHEUS"
}

// progressWatch shows how far a run is: as a bar where people look at it, otherwise as a line of
// the log each minute. The log is written through it, so that lines of the log go above the bar.
type progressWatch struct {
	w     io.Writer
	log   *slog.Logger
	bar   bool
	clock collector.Clock
	begun time.Time
	next  time.Time // when it is shown again
	from  float64   // the share that was done when it was begun
	width int       // of what is shown
}

func newProgressWatch(w io.Writer, clock collector.Clock) *progressWatch {
	return &progressWatch{w: w, bar: isTerminal(w), clock: clock, from: -1}
}

// isTerminal reports whether people read what is written. The null device is taken for a terminal,
// too, and does not mind.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Write writes a line of the log.
func (p *progressWatch) Write(line []byte) (int, error) {
	p.clear()
	return p.w.Write(line)
}

// clear removes the bar.
func (p *progressWatch) clear() {
	if p.width > 0 {
		_, _ = fmt.Fprintf(p.w, "\r%*s\r", p.width, "") // nobody needs to know
		p.width = 0
	}
}

// show shows how far the run is: five times a second on a terminal.
func (p *progressWatch) show(at backfill.Progress) {
	now, pause := p.clock.Now(), time.Minute
	if p.bar {
		pause = time.Second / 5
	}
	if p.from < 0 {
		p.begun, p.from, p.next = now, at.Share, now.Add(pause)
	}
	if now.Before(p.next) {
		return
	}
	p.next = now.Add(pause)
	left := "?"
	if done := at.Share - p.from; done > 0 {
		left = time.Duration(float64(now.Sub(p.begun)) * (1 - at.Share) / done).Round(time.Second).String()
	}
	if !p.bar {
		p.log.Info("history is read", "target", at.Target, "percent", int(100*at.Share), "at", at.At, "requests", at.Requests, "left", left)
		return
	}
	const width = 30
	full := min(max(0, int(width*at.Share)), width)
	line := fmt.Sprintf("[%s%s] %3.0f%%  %s  %s  %d requests  %s left", strings.Repeat("#", full), strings.Repeat(".", width-full),
		100*at.Share, at.Target, at.At.UTC().Format("2006-01-02 15:04"), at.Requests, left)
	p.clear()
	_, _ = fmt.Fprint(p.w, line) // nobody needs to know
	p.width = len(line)
}
