package main

import (
	"cmp"
	"fmt"
	"net"
	"os"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/metrics/otlp"
)

// newPusher returns nil where nothing is to be pushed.
func newPusher(f *config.OTLP, o otlp.Options) (*otlp.Pusher, error) {
	push, problems := f.Config() // without errors, which the configuration was refused for
	for _, p := range problems {
		o.Log.Warn("variable of OpenTelemetry ignored or changed", "variable", p.Variable, "detail", p.Detail)
	}
	if !push.Enabled() {
		return nil, nil //nolint:nilnil // nothing to push is no error
	}
	p, err := otlp.New(push, o)
	if err != nil {
		return nil, &config.UsageError{Err: fmt.Errorf("--otlp.endpoint: %w", err)}
	}
	return p, nil
}

// instance identifies this exporter among others, and stays the same after a restart: the host, and
// the port or the path of the socket, which only one process of the host can have.
func instance(listener net.Addr) string {
	host, _ := os.Hostname()
	_, at, err := net.SplitHostPort(listener.String())
	if err != nil {
		at = listener.String() // of Unix, passed by systemd
	}
	return net.JoinHostPort(cmp.Or(host, "localhost"), at)
}
