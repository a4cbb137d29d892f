package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"net/http"
	"os"
	"time"
)

// source is where the programs other than the exporter read the report from, by a plain
// http.Client.
type source struct {
	base, ca string
	reports  int
}

func (s *source) flags(f *flag.FlagSet) {
	f.StringVar(&s.base, "url", "", "base URL of the ABS")
	f.StringVar(&s.ca, "ca", "", "file of its certificate")
	f.IntVar(&s.reports, "reports", 1, "how many reports to read, in sequence (copy)")
}

func (s *source) client() (*http.Client, error) {
	transport := &http.Transport{}
	if s.ca != "" {
		pem, err := os.ReadFile(s.ca)
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, errors.New("no certificate in " + s.ca)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: transport, Timeout: 10 * time.Minute}, nil
}

// get requests the report of a slot.
func (s *source) get(ctx context.Context, c *http.Client) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		s.base+"/v4/abs/oauthtokens?later_date=2026-03-03T12:30&earlier_date=2026-03-03T12:00", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("x-abs-ak", "abs_ak")
	req.Header.Set("x-abs-sk", "abs_sk")
	// No compression: the simulated ABS has none.
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close() // it is not read
		return nil, errors.New("the ABS answered " + resp.Status)
	}
	return resp, nil
}

// copyReport is the lower bound for all programs: it only copies the bytes.
func copyReport(ctx context.Context, args []string) error {
	var s source
	flags := flag.NewFlagSet("copy", flag.ContinueOnError)
	s.flags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	end := bye{Start: time.Now().UnixNano()}
	for range s.reports {
		resp, err := s.get(ctx, client)
		if err != nil {
			return err
		}
		n, err := copying(resp.Body)
		end.Bytes += n
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			return err
		}
	}
	end.End = time.Now().UnixNano()
	if end.Peak, err = peak(); err != nil {
		return err
	}
	return send(end)
}
