package main

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// forensicsAnswer is about a token without attacks.
const forensicsAnswer = `{"company":"ping identity","name":"api_abs_token","summary":{"total_requests":12,"total_attacks":0,"total_anomalies":0},` +
	`"details":{"metrics":{"token":"t","total_requests":12,"ip_list":[]},"attack_types":{},"anomaly_types":{}}}`

// serveABS simulates an ABS that makes its reports in no time: it sends files, which the kernel
// does alone where there is no TLS.
func serveABS(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("abs", flag.ContinueOnError)
	slot := flags.String("slot", "", "file of a slot's report")
	window := flags.String("window", "", "file of the window's report")
	empty := flags.String("empty", "", "file of a report without rows, for all other windows")
	slots := flags.Int("slots", 1, "how many slots have the slot's report")
	secure := flags.Bool("tls", false, "speak HTTPS")
	h2 := flags.Bool("http2", false, "offer HTTP/2")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx = untilParentEnds(ctx, nil)
	mux := http.NewServeMux()
	mux.HandleFunc("/v4/abs/oauthtokens", func(w http.ResponseWriter, r *http.Request) {
		const layout = "2006-01-02T15:04"
		earlier, err := time.Parse(layout, r.URL.Query().Get("earlier_date"))
		later, err2 := time.Parse(layout, r.URL.Query().Get("later_date"))
		if err != nil || err2 != nil {
			http.Error(w, "no window", http.StatusBadRequest)
			return
		}
		file := *empty
		switch {
		case later.Sub(earlier) == 3*time.Hour:
			file = *window
		case later.Sub(earlier) <= slotLength && !earlier.Before(firstSlot) && earlier.Before(firstSlot.Add(time.Duration(*slots)*slotLength)):
			file = *slot
		}
		if err := sendFile(w, file); err != nil {
			panic(http.ErrAbortHandler) // the client sees a truncated body
		}
	})
	mux.HandleFunc("/v4/abs", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, forensicsAnswer) // a client that does not read it is gone
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	// No gzip: on loopback it would only be the bottleneck.
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	ready := hello{Addr: "http://" + l.Addr().String()}
	serve := func() error { return server.Serve(l) }
	if *secure {
		cert, certPEM, fingerprint, err := simulator.SelfSigned("127.0.0.1")
		if err != nil {
			return err
		}
		dir, err := os.MkdirTemp("", "bench-cert-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a certificate of no use to anybody
		ready = hello{Addr: "https://" + l.Addr().String(), Fingerprint: fingerprint, CAFile: filepath.Join(dir, "ca.pem")}
		if block, _ := pem.Decode(certPEM); block == nil {
			return io.ErrUnexpectedEOF
		}
		if err := os.WriteFile(ready.CAFile, certPEM, 0o600); err != nil {
			return err
		}
		// What ABS speaks: TLS 1.2 at most, by its vendor's pages (facts 1), and HTTP/1.1.
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12} // #nosec G402 -- as ABS
		server.Protocols = new(http.Protocols)
		server.Protocols.SetHTTP1(true)
		server.Protocols.SetHTTP2(*h2)
		serve = func() error { return server.ServeTLS(l, "", "") }
	}
	if err := send(ready); err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		_ = server.Close() // the parent has its figures
	}()
	_ = serve() // it ends by Close
	return nil
}

func sendFile(w http.ResponseWriter, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	_, err = io.Copy(w, f)
	return err
}
