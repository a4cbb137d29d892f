package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// hello is the line that a program prints once it can be scraped.
type hello struct {
	Addr        string // a base URL
	Fingerprint string // of the ABS's certificate
	CAFile      string // the certificate itself
}

// bye is the line that a program prints at its end.
type bye struct {
	Start int64 // when its first GET was sent, Unix nanoseconds
	End   int64 // when it was done, for programs that nobody scrapes
	Bytes int64 // read
	Peak  int64 // peak resident memory in bytes: VmHWM, which unlike getrusage's ru_maxrss is reset by exec
}

// send prints one line of JSON for the parent.
func send(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }

// peak returns the process's high-water mark of resident memory.
func peak() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if size, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(size), "kB")), 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("/proc/self/status has no VmHWM")
}

// untilParentEnds ends the context when the parent closes our standard input, and calls line for
// each line of it.
func untilParentEnds(ctx context.Context, line func()) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			if line != nil {
				line()
			}
		}
	}()
	return ctx
}

// serveMetrics serves the handler until ctx ends, over TLS if secure, and returns its base URL.
func serveMetrics(ctx context.Context, h http.Handler, secure bool) (base string, end func() error, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	serve, scheme := server.Serve, "http://"
	if secure {
		cert, _, _, err := simulator.SelfSigned("127.0.0.1")
		if err != nil {
			return "", nil, err
		}
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
		serve, scheme = func(l net.Listener) error { return server.ServeTLS(l, "", "") }, "https://"
	}
	ended := make(chan error, 1)
	go func() { ended <- serve(l) }()
	return scheme + l.Addr().String(), func() error {
		<-ctx.Done()
		_ = server.Close() // no scrape is under way any more
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}, nil
}

// copying reads all of r and stores nothing.
func copying(r io.Reader) (int64, error) { return io.Copy(io.Discard, r) }
