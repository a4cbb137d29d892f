package otlp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
	"google.golang.org/protobuf/encoding/protowire"
)

// httpSender speaks OTLP/HTTP with protobuf bodies.
type httpSender struct {
	url       string
	userAgent string
	headers   *headers
	timeout   time.Duration
	gzip      bool
	client    *http.Client
	packed    buffers
	packers   sync.Pool
}

func newHTTPSender(s *Signal, userAgent string, config *tls.Config, h *headers) *httpSender {
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		TLSClientConfig:       config,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   1,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		// HTTP/2 keeps a connection whose request had no answer; a receiver that is lost without a word is noticed so.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
	}
	return &httpSender{
		url: s.URL.String(), userAgent: userAgent, headers: h, timeout: s.Timeout, gzip: s.Gzip,
		client: &http.Client{
			Transport: transport,
			// A redirect would take the headers elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func (h *httpSender) close() { h.client.CloseIdleConnections() }

// largestAnswer is how much of an answer is read.
const largestAnswer = 64 << 10

func (h *httpSender) send(ctx context.Context, b *buffer) (reply, error) {
	if h.gzip {
		b = h.pack(b)
	}
	body := newBody(b)
	defer body.done()
	sent, err := h.headers.read()
	if err != nil {
		return reply{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, http.NoBody)
	if err != nil {
		return reply{}, &refusal{text: "no request can be made for the endpoint"}
	}
	req.Body, req.GetBody, req.ContentLength = body.reader(), body.again, int64(len(b.request()))
	for name, value := range sent {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("User-Agent", h.userAgent)
	if h.gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return reply{}, h.failed(ctx, err, sent)
	}
	defer func() { _ = resp.Body.Close() }()                            // only read from
	answer, err := io.ReadAll(io.LimitReader(resp.Body, largestAnswer)) //nolint:forbidigo // limited
	if resp.StatusCode/100 != 2 {
		return reply{}, h.refused(resp, answer, sent)
	}
	if err != nil {
		return reply{}, h.failed(ctx, err, sent)
	}
	// Some receivers, and proxies before them, answer with no body, or with JSON or text: a 2xx all the same.
	var r reply
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")) // empty if it is none
	if kind == "application/x-protobuf" {
		r, err = parseReply(answer)
	}
	if err != nil || kind == "text/html" {
		text := "the endpoint answers " + strconv.Itoa(resp.StatusCode) + ", but with no OTLP response: is it an OTLP receiver?"
		return reply{}, &refusal{text: text}
	}
	r.message = plainText(r.message, sent)
	return r, nil
}

// failed is a request that got no answer. The URL that net/http puts into its errors is left out.
func (h *httpSender) failed(ctx context.Context, err error, sent map[string]string) error {
	var inURL *url.Error
	if errors.As(err, &inURL) {
		err = inURL.Err
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &refusal{text: "no answer within " + h.timeout.String(), retry: true}
	}
	return &refusal{text: plainText(err.Error(), sent), retry: true}
}

// refused is an answer that says no.
func (h *httpSender) refused(resp *http.Response, answer []byte, sent map[string]string) error {
	e := &refusal{text: "the receiver answers " + strconv.Itoa(resp.StatusCode) + " " + http.StatusText(resp.StatusCode)}
	if text := plainText(statusText(resp, answer), sent); text != "" {
		e.text += ": " + text
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		e.retry, e.after = true, retryAfter(resp.Header.Get("Retry-After"))
	case http.StatusRequestEntityTooLarge:
		e.tooLarge = true
	}
	return e
}

// statusText is what the body of an error says: a google.rpc.Status, or text.
func statusText(resp *http.Response, answer []byte) string {
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/x-protobuf") {
		return string(answer)
	}
	var text string
	_ = eachField(answer, func(number protowire.Number, b []byte, _ uint64) error { // as far as it can be read
		if number == 2 && b != nil {
			text = string(b)
		}
		return nil
	})
	return text
}

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(text string) time.Duration {
	if s, err := strconv.Atoi(text); err == nil {
		return time.Duration(max(0, s)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// pack compresses a request into a buffer of its own.
func (h *httpSender) pack(b *buffer) *buffer {
	p := h.packed.get()
	p.from = 0
	out := bytes.NewBuffer(p.data)
	zw, ok := h.packers.Get().(*gzip.Writer)
	if !ok {
		zw, _ = gzip.NewWriterLevel(out, gzip.BestSpeed) // the level is one of gzip's
	}
	zw.Reset(out)
	_, _ = zw.Write(b.request()) // to memory
	_ = zw.Close()               // likewise
	h.packers.Put(zw)
	p.data = out.Bytes()
	b.release()
	return p
}

// body hands out readers of a buffer, and releases it when all of them are closed and it is done: net/http may read, and
// close, after the call has returned.
type body struct {
	b    *buffer
	refs atomic.Int32
}

func newBody(b *buffer) *body {
	y := &body{b: b}
	y.refs.Store(1)
	return y
}

func (y *body) done() {
	if y.refs.Add(-1) == 0 {
		y.b.release()
	}
}

func (y *body) reader() io.ReadCloser {
	y.refs.Add(1)
	return &bodyReader{Reader: bytes.NewReader(y.b.request()), body: y}
}

// again is for net/http, which asks while the first reader is still open.
func (y *body) again() (io.ReadCloser, error) { return y.reader(), nil }

type bodyReader struct {
	*bytes.Reader
	body *body
	once sync.Once
}

func (r *bodyReader) Close() error {
	r.once.Do(r.body.done)
	return nil
}
