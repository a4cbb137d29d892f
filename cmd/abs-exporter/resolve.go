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
	var found []*resolution
	var failed []error
	for _, t := range c.Targets {
		res, err := resolveAt(ctx, c, &t, now, log)
		if err != nil {
			failed = append(failed, fmt.Errorf("target %s: %w", t.Name, err))
			continue
		}
		classify(res.Attacks, t.Catalogue)
		classify(res.Anomalies, t.Catalogue)
		found = append(found, res)
	}
	if len(found) == 0 {
		return errors.Join(failed...)
	}
	for _, err := range failed {
		if missing := (*notFoundError)(nil); !errors.As(err, &missing) {
			log.Warn("target not searched", "err", err)
		}
	}
	return printResolutions(stdout, found, c.ShowToken, c.Output == "json")
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
	return res, nil
}
