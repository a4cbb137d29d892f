package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
)

// healthTimeout is how long the exporter may take to answer a health check. It is less than the
// time-out of the HEALTHCHECK in the Dockerfile, so that the error is this program's.
const healthTimeout = 5 * time.Second

// runHealthcheck asks the exporter of this machine whether it is alive. An error means that it is
// not, or that it cannot be asked.
func runHealthcheck(ctx context.Context, l config.HealthListener, stdout io.Writer) error {
	url := "http://localhost" + config.HealthPath
	if l.TLS {
		url = "https://localhost" + config.HealthPath
	}
	err := askHealth(ctx, l.Address, url, stdout)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("health check of %s: %w", l.Address, err)
	if l.TLS || l.BasicAuth {
		err = fmt.Errorf("%w (--web.config.file protects this listener; --web.probe-address is one for probes, without TLS and passwords)", err)
	}
	return err
}

func askHealth(ctx context.Context, address, url string, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	transport := &http.Transport{
		// An address without a host is this machine, as for the listener.
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		},
		// The certificate is for the names that others use. Nothing secret is sent.
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // G402: as said above
		DisableKeepAlives: true,
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	text := strings.TrimSpace(string(body))
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, text)
	}
	_, err = fmt.Fprintln(stdout, text)
	return err
}
