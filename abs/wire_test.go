package abs

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// wireReport is a report with one token, and wireRequests what it reports of it.
const (
	wireReport   = `{` + named + `,"summary":{"tokens":1,"total_requests":7},"details":[{"token":"cAnArY","total_requests":7}]}`
	wireRequests = 7
)

// wireLimit is more than the client and the buffers of a connection take of an endless answer.
const wireLimit = 64 << 20

// wireFault is what a server sends in place of an answer, and what the client makes of it.
type wireFault struct {
	name string
	do   func(c *wire)
	want Reason // "": the report is read as it stands
	slow bool   // it ends by the client's time limit, in the time of a bubble
}

// wire is a connection, once a request was read from it.
type wire struct {
	net.Conn
	request string // with its headers, in one line
	sent    int
}

// send writes a text and returns false once the client is gone.
func (w *wire) send(text string) bool {
	n, err := io.WriteString(w, text)
	w.sent += n
	return err == nil && w.sent < wireLimit
}

// endless repeats a text until the client is gone.
func (w *wire) endless(text string) {
	text = strings.Repeat(text, 1+(16<<10)/len(text))
	for w.send(text) {
	}
}

// trickle sends a text, a byte a second, and then its last byte for ever.
func (w *wire) trickle(text string) {
	for i := 0; w.send(text[min(i, len(text)-1):][:1]); i++ {
		time.Sleep(time.Second)
	}
}

// silent waits until the client is gone.
func (w *wire) silent() { _, _ = io.Copy(io.Discard, w) }

// reset ends the connection by a reset.
func (w *wire) reset() {
	conn := w.Conn
	if over, ok := conn.(*tls.Conn); ok {
		conn = over.NetConn()
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// sends returns what sends a text and ends the connection. ECHO in it is the request.
func sends(text string) func(*wire) {
	return func(w *wire) { w.send(strings.ReplaceAll(text, "ECHO", w.request)) }
}

// then returns what sends a text and does something else after it.
func then(text string, do func(*wire)) func(*wire) {
	return func(w *wire) {
		if w.send(text) {
			do(w)
		}
	}
}

// whole returns a response with a body and its length.
func whole(head, body string) string {
	return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(body), body)
}

// wireServer answers each request with a report, or as its fault does.
type wireServer struct {
	address  string
	fault    atomic.Pointer[wireFault]
	requests atomic.Int32
	sent     atomic.Int64 // the most of a connection
}

// serveWire starts a server. A nil configuration is plain HTTP.
func serveWire(t *testing.T, over *tls.Config) *wireServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &wireServer{address: l.Addr().String()}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if over != nil {
				c = tls.Server(c, over)
			}
			go s.connection(c)
		}
	}()
	return s
}

// dial connects to the server through a pipe.
func (s *wireServer) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go s.connection(server)
	return client, nil
}

func (s *wireServer) connection(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		s.requests.Add(1)
		if f := s.fault.Load(); f != nil {
			w := &wire{Conn: c, request: fmt.Sprintf("%s %v", r.RequestURI, r.Header)}
			f.do(w)
			s.sent.Store(max(s.sent.Load(), int64(w.sent)))
			return
		}
		if _, err := io.WriteString(c, whole("HTTP/1.1 200 OK\r\n", wireReport)); err != nil {
			return
		}
	}
}

// tryWireFaults tries each fault on a new connection and on one that was used before. The client is
// as good as ever afterwards.
func tryWireFaults(t *testing.T, faults []wireFault) {
	t.Helper()
	names := map[string]bool{}
	for _, f := range faults {
		if names[f.name] {
			t.Errorf("two faults are named %s", f.name)
		}
		names[f.name] = true
		t.Run(f.name, func(t *testing.T) {
			if f.slow {
				synctest.Test(t, func(t *testing.T) {
					s := &wireServer{address: "abs.example.com"}
					c := config("http://" + s.address)
					transport := newTransport(&c, nil)
					transport.DialContext = s.dial
					c.Transport = transport
					tryWireFault(t, s, &f, c)
					time.Sleep(2 * time.Minute) // until the server has seen all connections end
				})
				return
			}
			t.Parallel()
			s := serveWire(t, nil)
			tryWireFault(t, s, &f, config("http://"+s.address))
		})
	}
	t.Logf("%d cases", len(faults))
}

func tryWireFault(t *testing.T, s *wireServer, f *wireFault, c Config) {
	t.Helper()
	c.Timeout, c.ResponseCap = 20*time.Second, 100_000
	client, err := NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s.tries(t, client, f, 1)
	s.tries(t, client, nil, 1)
	s.tries(t, client, f, 2) // a connection that is closed under a request is not its fault
	s.tries(t, client, nil, 2)
	if sent := s.sent.Load(); sent >= wireLimit {
		t.Errorf("%d MB were read", sent>>20)
	}
}

// tries makes one call while the server has a fault, or none.
func (s *wireServer) tries(t *testing.T, client *Client, f *wireFault, most int32) {
	t.Helper()
	s.fault.Store(f)
	s.requests.Store(0)
	var want Reason
	if f != nil {
		want = f.want
	}
	requests := int64(0)
	began := time.Now()
	sum, err := client.Tokens(context.Background(), hour, func(r *Row) error {
		requests += r.Requests
		return nil
	})
	if took := time.Since(began); took > client.config.Timeout+time.Second {
		t.Errorf("it took %v", took)
	}
	checkQuiet(t, err)
	var e *Error
	switch {
	case ReasonOf(err) != want || err != nil && !errors.As(err, &e):
		t.Errorf("%v is %q, want %q", err, ReasonOf(err), want)
	case err == nil && (requests != wireRequests || sum.Requests != wireRequests):
		t.Errorf("%d requests in rows and %d in the summary, want %d", requests, sum.Requests, wireRequests)
	}
	if n := s.requests.Load(); n > most || n == 0 {
		t.Errorf("ABS has %d requests for one call, want %d at most", n, most)
	}
}
