package abs

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const emptyReport = `{` + named + `,"summary":{"tokens":0,"total_requests":0},"details":[]}`

// connections is a server that speaks HTTP/1.1 by hand. answers says how many requests it answers
// on its n-th connection before it closes the connection under the next one, which it has read; -1
// is all.
type connections struct {
	answers func(n int) int
	began   int
	mu      sync.Mutex
	arrived []time.Time
	headers []http.Header
}

func (s *connections) serve(c net.Conn) {
	defer c.Close()
	s.mu.Lock()
	left := s.answers(s.began)
	s.began++
	s.mu.Unlock()
	in := bufio.NewReader(c)
	for ; ; left-- {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.arrived = append(s.arrived, time.Now())
		s.headers = append(s.headers, r.Header)
		s.mu.Unlock()
		if left == 0 || len(body) > 0 || len(r.TransferEncoding) > 0 || r.ContentLength > 0 {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: "+strconv.Itoa(len(emptyReport))+"\r\n\r\n"+emptyReport)
	}
}

func (s *connections) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.arrived)
}

// client returns a client whose connections are pipes to the server.
func (s *connections) client(t *testing.T, c Config) *Client {
	t.Helper()
	transport := newTransport(&c, &tls.Config{MinVersion: tls.VersionTLS12})
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go s.serve(server)
		return client, nil
	}
	c.Transport = transport
	client, err := NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// One call is one request: twice only where a reused connection was closed under it.
func TestOneCallIsOneRequest(t *testing.T) {
	all := func(int) int { return -1 }
	for _, c := range []struct {
		name     string
		answers  func(n int) int
		requests []int // that have arrived after each call
		reason   []Reason
		repeated []bool
	}{
		{"well", all, []int{1, 2, 3}, []Reason{"", "", ""}, []bool{false, false, false}},
		{
			"a reused connection is closed once", func(n int) int { return [...]int{1, -1}[min(n, 1)] },
			[]int{1, 3, 4},
			[]Reason{"", "", ""},
			[]bool{false, true, false},
		},
		{
			"the new one, too", func(n int) int { return [...]int{1, 0}[min(n, 1)] },
			[]int{1, 3, 4},
			[]Reason{"", "connection", "connection"},
			[]bool{false, true, false},
		},
		{"all are closed", func(int) int { return 0 }, []int{1, 2, 3}, []Reason{"connection", "connection", "connection"}, []bool{false, false, false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &connections{answers: c.answers}
				var calls []Call
				conf := config("http://abs.example.com")
				conf.Rate = 1
				conf.Observe = func(call Call) { calls = append(calls, call) }
				client := server.client(t, conf)
				defer client.Close()
				for i := range c.requests {
					_, err := client.Tokens(t.Context(), hour, noRows)
					synctest.Wait()
					if ReasonOf(err) != c.reason[i] || server.requests() != c.requests[i] || calls[i].Repeated != c.repeated[i] {
						t.Errorf("call %d: %v, %d requests have arrived, repeated %t; want %q, %d, %t",
							i, err, server.requests(), calls[i].Repeated, c.reason[i], c.requests[i], c.repeated[i])
					}
				}
				if len(calls) != len(c.requests) {
					t.Errorf("%d calls observed, want %d", len(calls), len(c.requests))
				}
				for i := 1; i < len(server.arrived); i++ {
					if pause := server.arrived[i].Sub(server.arrived[i-1]); pause < time.Second {
						t.Errorf("request %d came %v after the one before, at a rate of one a second", i, pause)
					}
				}
			})
		})
	}
}

// All idle connections were closed, as by a restart of ABS: one repeat is enough, for each call.
func TestIdleConnectionsAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &connections{answers: func(n int) int {
			if n < 4 {
				return 1
			}
			return -1
		}}
		client := server.client(t, config("http://abs.example.com"))
		defer client.Close()
		round := func() {
			var wait sync.WaitGroup
			for range 4 {
				wait.Go(func() {
					if _, err := client.Tokens(t.Context(), hour, noRows); err != nil {
						t.Error(err)
					}
				})
			}
			wait.Wait()
		}
		round()
		round()
		if n := server.requests(); n > 12 {
			t.Errorf("%d requests for 8 calls, want 12 at most", n)
		}
	})
}

// An HTTP/2 server that answers each request with GOAWAY. net/http would repeat the request two
// hundred times a second, with the keys.
func TestGoAway(t *testing.T) {
	var requests atomic.Int32
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		_, _ = io.WriteString(w, emptyReport)
	})
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: server.TLS.Certificates, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go goAway(c.(*tls.Conn), &requests)
		}
	}()
	c := trusting(t, server)
	c.URL = "https://" + listener.Addr().String()
	c.Timeout = 2 * time.Second
	_, err = mustClient(t, c).Tokens(t.Context(), hour, noRows)
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests for one call (%v)", n, err)
	}
}

// goAway counts the requests of a connection and ends it after the first.
func goAway(c *tls.Conn, requests *atomic.Int32) {
	defer c.Close()
	if c.Handshake() != nil {
		return
	}
	if c.ConnectionState().NegotiatedProtocol != "h2" {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			requests.Add(1)
		}
		return
	}
	frame := func(kind byte, payload ...byte) {
		header := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
		_, _ = c.Write(append(append(header, 0, 0, 0, 0, 0), payload...))
	}
	frame(4)                                               // SETTINGS
	if _, err := io.CopyN(io.Discard, c, 24); err != nil { // the preface
		return
	}
	for {
		var header [9]byte
		if _, err := io.ReadFull(c, header[:]); err != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(header[:])>>8)); err != nil {
			return
		}
		if header[3] == 1 { // HEADERS
			requests.Add(1)
			frame(7, 0, 0, 0, 0, 0, 0, 0, 0) // GOAWAY: no stream was worked on
			return
		}
	}
}

// Whatever transport is set, a second connection within one request is refused.
func TestTransportThatAsksTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &connections{answers: func(n int) int { return [...]int{1, -1}[min(n, 1)] }}
		conf := config("http://abs.example.com")
		client := server.client(t, conf)
		inner := client.transport
		client.transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			r.Body, r.TransferEncoding = nil, nil // net/http may send it again now
			return inner.RoundTrip(r)
		})
		defer inner.(*http.Transport).CloseIdleConnections()
		for i, want := range []Reason{"", ReasonConnection} {
			if _, err := client.Tokens(t.Context(), hour, noRows); ReasonOf(err) != want {
				t.Errorf("call %d: %v, want %q", i, err, want)
			}
		}
	})
}

// A real server that closes its idle connections: each call is answered, and arrives once.
func TestServerClosesIdleConnections(t *testing.T) {
	var requests atomic.Int32
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		_, _ = io.WriteString(w, emptyReport)
	})
	client := mustClient(t, trusting(t, server))
	for i := range int32(50) {
		if _, err := client.Tokens(t.Context(), hour, noRows); err != nil || requests.Load() != i+1 {
			t.Fatalf("call %d: %v, %d requests", i, err, requests.Load())
		}
		server.CloseClientConnections()
	}
}
