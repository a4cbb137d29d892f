package main

import (
	"cmp"
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
func newPusher(
	f *config.OTLP, b metrics.Build, listener net.Addr, registry *prometheus.Registry, clock collector.Clock, log *slog.Logger,
) (*otlp.Pusher, error) {
	push, problems := f.Config() // without errors, which the configuration was refused for
	for _, p := range problems {
		log.Warn("variable of OpenTelemetry ignored or changed", "variable", p.Variable, "detail", p.Detail)
	}
	if !push.Enabled() {
		return nil, nil //nolint:nilnil // nothing to push is no error
	}
	p, err := otlp.New(push, otlp.Options{
		Version: b.Version, Instance: instance(listener), Registry: registry, Now: clock.Now, Log: log,
	})
	if err != nil {
		return nil, &config.UsageError{Err: fmt.Errorf("--otlp.endpoint: %w", err)}
	}
	return p, nil
}

// both exposes what is published, and then pushes it.
type both [2]collector.Publisher

// Publish implements collector.Publisher.
func (b both) Publish(target string, s *metrics.Snapshot) {
	b[0].Publish(target, s)
	b[1].Publish(target, s)
}

// instance identifies this exporter among others, and stays the same after a restart: the host, and
// the port, which only one process of the host can have.
func instance(listener net.Addr) string {
	host, _ := os.Hostname()
	_, port, _ := net.SplitHostPort(listener.String()) // a listener of TCP has one
	return net.JoinHostPort(cmp.Or(host, "localhost"), port)
}
