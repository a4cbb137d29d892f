package main

import (
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/metrics"
	"github.com/abs-exporter/abs-exporter/metrics/otlp"
)

// newPusher returns nil where nothing is to be pushed.
func newPusher(f *config.OTLP, b metrics.Build, listener net.Addr, registry *prometheus.Registry, clock collector.Clock, log *slog.Logger) (*otlp.Pusher, error) {
	push, err := f.Push()
	for _, w := range push.Warnings {
		log.Warn("variable of OpenTelemetry ignored or changed", "variable", w.Name, "detail", w.Detail)
	}
	if err != nil || !push.Enabled() {
		return nil, err
	}
	p, err := otlp.New(push, otlp.Options{
		Identity: otlp.Identity{Version: b.Version, Instance: instance(listener)},
		Registry: registry, Now: clock.Now, Log: log,
	})
	if err != nil {
		return nil, &config.UsageError{Err: fmt.Errorf("--otlp.endpoint: %w", err)}
	}
	return p, nil
}

// instance identifies this exporter among others, and stays the same after a restart: the host, and
// the port, which only one process of the host can have.
func instance(listener net.Addr) string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	_, port, err := net.SplitHostPort(listener.String())
	if err != nil {
		return host
	}
	return net.JoinHostPort(host, port)
}
