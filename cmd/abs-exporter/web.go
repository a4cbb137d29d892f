package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
)

// listen opens all listeners, so that an address in use is reported at the start.
func (e *exporter) listen(f *config.Web) error {
	addresses := f.ListenAddress
	if f.SystemdSocket {
		addresses = nil
		passed, err := activation.Listeners()
		if err != nil {
			return fmt.Errorf("--web.systemd-socket: the sockets of systemd cannot be used: %w", err)
		}
		for _, l := range passed {
			if l != nil { // one that is no listener of streams
				e.listeners, e.closers = append(e.listeners, l), append(e.closers, l.Close)
			}
		}
		if len(e.listeners) == 0 {
			return errors.New("--web.systemd-socket: systemd passed no listening socket: start abs-exporter by its .socket unit")
		}
	}
	for _, address := range addresses {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return fmt.Errorf("--web.listen-address: cannot serve the metrics: %w", err)
		}
		e.listeners, e.closers = append(e.listeners, l), append(e.closers, l.Close)
	}
	if f.ProbeAddress == "" {
		return nil
	}
	l, err := net.Listen("tcp", f.ProbeAddress)
	if err != nil {
		return fmt.Errorf("--web.probe-address: cannot answer probes: %w", err)
	}
	e.probe, e.closers = l, append(e.closers, l.Close)
	return nil
}

// serveListener serves until ctx ends, then drains the requests in flight for drainTime at most.
// webConfig is the file of --web.config.file, or empty.
func serveListener(ctx context.Context, l net.Listener, h http.Handler, webConfig string, log *slog.Logger) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      2 * time.Minute, // a large exposition over a slow line
		IdleTimeout:       5 * time.Minute, // longer than the usual scrape interval
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	drained := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		err := server.Shutdown(limit)
		if errors.Is(err, context.DeadlineExceeded) {
			log.Warn("requests cut after the drain time", "address", l.Addr().String())
			err = server.Close()
		}
		drained <- err
	})
	noSystemd := false
	err := web.Serve(l, server, &web.FlagConfig{WebConfigFile: &webConfig, WebSystemdSocket: &noSystemd}, log)
	if stop() { // ctx has not ended, so this is not a shutdown
		return fmt.Errorf("serving on %s: %w", l.Addr(), err)
	}
	return <-drained
}
