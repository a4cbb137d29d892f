package simulator

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"syscall"
)

// Transport carries requests to the simulated ABS without a network, so that tests can run in the
// virtual time of testing/synctest. Bodies stream; a torn connection is an error of the call or of
// reading the body. It does not compress unless asked to by a header of the request, and then
// leaves it to the caller to decompress.
func (s *Simulator) Transport() http.RoundTripper { return transport{s.Handler()} }

type transport struct{ handler http.Handler }

// RoundTrip answers the request.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	in := r.Clone(ctx)
	in.RequestURI = r.URL.RequestURI()
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	body, to := io.Pipe()
	w := &pipeWriter{header: http.Header{}, body: to, begun: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() { _ = to.CloseWithError(ctx.Err()) }) // always nil
	go func() {
		defer stop()
		defer func() {
			p, err := recover(), r.Context().Err() // as with net/http a caller that gave up sees that error
			switch {
			case p != nil && p != any(http.ErrAbortHandler):
				panic(p)
			case p != nil && err == nil:
				err = fmt.Errorf("read from the simulated ABS: %w", syscall.ECONNRESET)
			}
			w.begin(http.StatusOK, err)
			_ = to.CloseWithError(err) // always nil
		}()
		t.handler.ServeHTTP(w, in)
	}()
	select {
	case <-w.begun:
	case <-ctx.Done():
		cancel()
		return nil, r.Context().Err()
	}
	if w.err != nil {
		cancel()
		return nil, w.err
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, ContentLength: -1, Request: r,
		Body: &pipeBody{PipeReader: body, cancel: cancel},
	}, nil
}

// pipeBody ends the call when it is closed.
type pipeBody struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (b *pipeBody) Close() error {
	defer b.cancel()
	return b.PipeReader.Close()
}

type pipeWriter struct {
	header, sent http.Header
	body         *io.PipeWriter
	once         sync.Once
	begun        chan struct{} // closed once status, sent and err are set
	status       int
	err          error
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) { w.begin(status, nil) }

// begin lets RoundTrip return, unless it was called before.
func (w *pipeWriter) begin(status int, err error) {
	w.once.Do(func() {
		w.status, w.sent, w.err = status, w.header.Clone(), err
		close(w.begun)
	})
}

func (w *pipeWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// Flush has nothing to do: a write ends when it is read.
func (w *pipeWriter) Flush() {}
