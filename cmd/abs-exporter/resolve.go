package main

import (
	"context"
	"io"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/logging"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/resolve"
)

func runResolve(ctx context.Context, c *config.Resolve, now time.Time, stdout, stderr io.Writer) error {
	log := logging.New(c.Log, stderr)
	connect := func(t *config.Target, configure func(*abs.Config)) (*abs.Client, error) {
		return newClient(t, configure, log)
	}
	return resolve.Command(ctx, c, connect, now, stdout, log)
}
