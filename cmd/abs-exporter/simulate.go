package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/collector/atomicfile"
)

// runSimulate runs the simulated ABS alone.
func runSimulate(ctx context.Context, c *config.Simulate, clock collector.Clock, stdout io.Writer) error {
	listen := c.Listen
	sim, err := c.Simulator.New(clock.Now)
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(listen.ListenAddress)
	if err != nil {
		return err
	}
	cert, pem, fingerprint, err := simulator.SelfSigned(certificateHosts(host)...)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", listen.ListenAddress)
	if err != nil {
		return fmt.Errorf("--simulate.listen-address: the simulated ABS cannot be reached: %w", err)
	}
	defer func() { _ = l.Close() }() // Serve closes it, if it is reached
	url, curl, certificate := "https://"+reachable(l.Addr()), "curl -sk", "fingerprint of its certificate: "+fingerprint+"\n"
	if listen.CertFile != "" {
		if err := atomicfile.Write(listen.CertFile, pem, 0o644); err != nil {
			return fmt.Errorf("--simulate.cert-file: %w", err)
		}
		curl = "curl -s --cacert " + listen.CertFile
	}
	if listen.PlainHTTP {
		url, curl, certificate = "http://"+reachable(l.Addr()), "curl -s", ""
		cert.Certificate = nil
	}
	const minute = "2006-01-02T15:04"
	now := clock.Now().In(c.Simulator.Location())
	if _, err := fmt.Fprintf(stdout, `simulated ABS at %[1]s (its traffic is made up)
keys: abs_ak and abs_sk; of the restricted user: abs_ak_ru and abs_sk_ru
%[2]stry:
  %[3]s -H 'x-abs-ak: abs_ak' -H 'x-abs-sk: abs_sk' '%[1]s/v4/abs/oauthtokens?later_date=%[4]s&earlier_date=%[5]s'
  %[3]s '%[1]s/simulator/attacks'   # what is active; /simulator/truth and /simulator/faults too
`, url, certificate, curl, now.Format(minute), now.Add(-time.Hour).Format(minute)); err != nil {
		return err
	}
	return sim.Serve(ctx, l, cert)
}

// certificateHosts returns the names for the certificate of a listener.
func certificateHosts(host string) []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	switch ip := net.ParseIP(host); {
	case host == "" || host == "localhost" || (ip != nil && ip.IsLoopback()):
		return hosts
	case ip != nil && ip.IsUnspecified():
		if name, err := os.Hostname(); err == nil {
			hosts = append(hosts, name)
		}
		return hosts
	default:
		return append(hosts, host)
	}
}

// reachable returns an address of this machine by which a listener can be reached.
func reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
