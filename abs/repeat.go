package abs

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// errConnectionTwice is why a request ends for which net/http wants another connection.
var errConnectionTwice = errors.New("a further connection within one request")

// connection is what httptrace reports of the connection of one request. net/http sends a GET again
// by itself, at its own pace and with the keys, when a reused connection ends without an answer.
// Here each call is one request: once is what net/http sends, and connection refuses anything more.
type connection struct {
	asked, allowed int
	reused         bool
	answered       atomic.Bool // set in a goroutine of net/http
	refuse         context.CancelCauseFunc
}

func (c *connection) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) {
			if c.asked++; c.asked > c.allowed {
				c.refuse(errConnectionTwice)
			}
		},
		GotConn:              func(info httptrace.GotConnInfo) { c.reused = info.Reused },
		GotFirstResponseByte: func() { c.answered.Store(true) },
	}
}

// closedUnused reports whether an error is that of a reused connection which the other end had
// closed before it answered: such as an idle one, at the moment when the request was sent.
func (c *connection) closedUnused(ctx context.Context, err error) bool {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return false
	}
	return err != nil && c.reused && !c.answered.Load() && ctx.Err() == nil
}

// roundTrip sends a request, and once more, at the configured rate and on a new connection, where
// the reused connection was closed under it. ctx must end after refuse.
func (c *Client) roundTrip(req *http.Request, refuse context.CancelCauseFunc) (resp *http.Response, repeated bool, err error) {
	ctx := req.Context()
	conn := &connection{allowed: 1, refuse: refuse}
	req = req.WithContext(httptrace.WithClientTrace(ctx, conn.trace()))
	req.Body, req.TransferEncoding = once{}, []string{"identity"}
	resp, err = c.transport.RoundTrip(req)
	if !conn.closedUnused(ctx, err) || c.limiter.Wait(ctx) != nil {
		return resp, false, err
	}
	c.Close() // the other idle connections were probably closed with it
	conn.allowed++
	resp, err = c.transport.RoundTrip(req)
	return resp, true, err
}

// once is a body without bytes, and without GetBody: net/http does not send such a request again.
// With the transfer encoding "identity" nothing of it is sent, not even a header.
type once struct{}

func (once) Read([]byte) (int, error) { return 0, io.EOF }
func (once) Close() error             { return nil }
