package readers

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
)

// Own is the exporter's reader by the exported names of package abs: its client, with a body
// instead of a network.
type Own struct {
	client *abs.Client
	body   io.Reader
}

// NewOwn returns the exporter's reader.
func NewOwn() (*Own, error) {
	o := &Own{}
	client, err := abs.NewClient(abs.Config{
		URL: "http://abs.invalid", Keys: abs.StaticKeys("a", "b"), Transport: o, Rate: 1e9, ResponseCap: 1 << 50, Timeout: time.Hour,
	})
	o.client = client
	return o, err
}

// RoundTrip implements http.RoundTripper.
func (o *Own) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(o.body), ContentLength: -1, Request: r,
	}, nil
}

// Read reads the report. It returns an error for what is not the report.
func (o *Own) Read(body io.Reader, row func(*abs.Row) error) (abs.Summary, error) {
	o.body = body
	from := time.Date(2026, time.March, 3, 12, 0, 0, 0, time.UTC)
	return o.client.Tokens(context.Background(), abs.Window{From: from, To: from.Add(time.Hour)}, row)
}
