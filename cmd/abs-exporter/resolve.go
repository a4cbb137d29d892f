package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
)

// runResolve looks for the token, or for those of an address, at every target and prints what ABS
// reports of it.
func runResolve(ctx context.Context, c *config.Resolve, now time.Time, stdout, stderr io.Writer) error {
	log := newLogger(c.Log, stderr)
	if c.IP != "" {
		return runResolveAddress(ctx, c, now, stdout, log)
	}
	found, err := atEachTarget(c, log, func(t *config.Target) (*resolution, error) { return resolveAt(ctx, c, t, now, log) })
	if err != nil {
		return err
	}
	for _, r := range found {
		r.show(c.ShowToken)
	}
	return printFound(stdout, found, c.Output == "json", (*resolution).text)
}

// atEachTarget searches every target. That one of them lacks what another has is no failure, and
// what else fails there is logged; where none has it, the error says why.
func atEachTarget[R any](c *config.Resolve, log *slog.Logger, search func(*config.Target) (R, error)) ([]R, error) {
	var found []R
	var failed []error
	for _, t := range c.Targets {
		if one, err := search(&t); err != nil {
			failed = append(failed, fmt.Errorf("target %s: %w", t.Name, err))
		} else {
			found = append(found, one)
		}
	}
	if len(found) == 0 {
		return nil, errors.Join(failed...)
	}
	for _, err := range failed {
		if missing := (*notFoundError)(nil); !errors.As(err, &missing) {
			log.Warn("target not searched", "err", err)
		}
	}
	return found, nil
}

// rawURL appends a URL as ABS reports it.
func rawURL(dst, url, _ []byte) []byte { return append(dst, url...) }

func resolveAt(ctx context.Context, c *config.Resolve, t *config.Target, now time.Time, log *slog.Logger) (*resolution, error) {
	client, err := newClient(t, func(c *abs.Config) { c.URLs = rawURL }, log)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	s := &tokenSearch{
		client: client, key: c.Key, id: string(c.TokenID), window: c.Window(t, now),
		restricted: t.Restricted(), responseCap: int64(t.ResponseCap),
		location: t.Location, types: t.Catalogue, log: log,
	}
	res, err := s.run(ctx)
	if err != nil {
		return nil, err
	}
	res.Target, res.TokenID = t.Name, s.id
	classify(res.Attacks, t.Catalogue)
	classify(res.Anomalies, t.Catalogue)
	return res, nil
}
