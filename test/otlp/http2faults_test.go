package otlp

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/metrics"
	"github.com/abs-exporter/abs-exporter/metrics/otlp"
)

// The kinds of HTTP/2 frames, and two flags.
const (
	frameData = iota
	frameHeaders
	framePriority
	frameReset
	frameSettings
	framePush
	framePing
	frameGoAway
	frameWindow
	frameContinuation

	endStream  = 0x1
	endHeaders = 0x4
	padded     = 0x8
)

// frame returns an HTTP/2 frame.
func frame(kind, flags byte, stream uint32, payload string) string {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	return string(binary.BigEndian.AppendUint32(append(head, flags), stream)) + payload
}

func uint32s(values ...uint32) (text string) {
	for _, v := range values {
		text += string(binary.BigEndian.AppendUint32(nil, v))
	}
	return text
}

// field returns a header as HPACK has it, of a length below 16,384.
func field(name, value string) string {
	length := func(n int) string {
		if n < 127 {
			return string([]byte{byte(n)})
		}
		return string([]byte{127, byte(n-127)&0x7f | 0x80, byte((n - 127) >> 7)})
	}
	return "\x00" + length(len(name)) + name + length(len(value)) + value
}

const status200 = "\x88" // as HPACK has it

// http2Fault is what a receiver does once it has a request. ECHO in a text is what the request had
// in its headers.
type http2Fault struct {
	name string
	do   func(c net.Conn, stream uint32)
	bare bool // no SETTINGS precede, and no request is waited for
	yes  bool // over HTTP it is a yes
}

// Those after which gRPC and net/http connect again at once, until the time of the request ends.
var againAtOnce = []string{"GOAWAY before a request", "GOAWAY"}

// sends returns what writes a text and stays; floods what repeats it until the exporter is gone.
func sends(text func(stream uint32) string) func(net.Conn, uint32) {
	return func(c net.Conn, stream uint32) {
		_, _ = io.WriteString(c, text(stream))
		_, _ = io.Copy(io.Discard, c)
	}
}

func floods(text func(stream uint32) string) func(net.Conn, uint32) {
	return func(c net.Conn, stream uint32) {
		one := text(stream)
		go func() { _, _ = io.Copy(io.Discard, c) }()
		for {
			if _, err := io.WriteString(c, strings.Repeat(one, 1+10_000/len(one))); err != nil {
				return
			}
			<-time.After(time.Millisecond) // the machine has other tests to run
		}
	}
}

func always(text string) func(uint32) string { return func(uint32) string { return text } }

// response returns the headers of a response as one frame.
func response(flags byte, fields string) func(uint32) string {
	return func(stream uint32) string { return frame(frameHeaders, flags|endHeaders, stream, fields) }
}

func http2Faults() []http2Fault {
	grpc := field("content-type", "application/grpc")
	secret := canary + " echoed"
	return []http2Fault{
		{"nothing at all", sends(always("")), true, false},
		{"the end at once", func(net.Conn, uint32) {}, true, false},
		{"HTTP/1.1", sends(always("HTTP/1.1 503 " + secret + "\r\nContent-Length: 0\r\n\r\n")), true, false},
		{"text", floods(always(secret)), true, false},
		{"a frame of 16 MB", floods(always("\xff\xff\xff\x04\x00\x00\x00\x00\x00" + secret)), true, false},
		{"settings of five bytes", sends(always(frame(frameSettings, 0, 0, "12345"))), true, false},
		{"settings on a stream", sends(always(frame(frameSettings, 0, 1, ""))), true, false},
		{"a window of 2^31 in the settings", sends(always(frame(frameSettings, 0, 0, "\x00\x04\x80\x00\x00\x00"))), true, false},
		{"frames of a byte in the settings", sends(always(frame(frameSettings, 0, 0, "\x00\x05\x00\x00\x00\x01"))), true, false},
		{"no streams in the settings", sends(always(frame(frameSettings, 0, 0, "\x00\x03\x00\x00\x00\x00"))), true, false},
		{"no window in the settings", sends(always(frame(frameSettings, 0, 0, "\x00\x04\x00\x00\x00\x00"))), true, false},
		{"GOAWAY before a request", sends(always(frame(frameSettings, 0, 0, "") + frame(frameGoAway, 0, 0, uint32s(0, 11)+secret))), true, false},
		{"settings without end", floods(always(frame(frameSettings, 0, 0, ""))), false, false},
		{"pings without end", floods(always(frame(framePing, 0, 0, "12345678"))), false, false},
		{"a ping of seven bytes", sends(always(frame(framePing, 0, 0, "1234567"))), false, false},
		{"unknown frames without end", floods(always(frame(99, 0, 0, secret))), false, false},
		{"GOAWAY", sends(always(frame(frameGoAway, 0, 0, uint32s(0, 0)+secret))), false, false},
		{"GOAWAY, calm down", sends(always(frame(frameGoAway, 0, 0, uint32s(0, 11)+"too_many_pings "+secret))), false, false},
		{"GOAWAY that takes more with each", sends(always(frame(frameGoAway, 0, 0, uint32s(1, 0)) + frame(frameGoAway, 0, 0, uint32s(99, 0)))), false, false},
		{"GOAWAY of three bytes", sends(always(frame(frameGoAway, 0, 0, "123"))), false, false},
		{"a stream that is refused", sends(func(s uint32) string { return frame(frameReset, 0, s, uint32s(7)) }), false, false},
		{"a stream that is reset", sends(func(s uint32) string { return frame(frameReset, 0, s, uint32s(2)) }), false, false},
		{"a stream that needs HTTP/1.1", sends(func(s uint32) string { return frame(frameReset, 0, s, uint32s(13)) }), false, false},
		{"a reset of no stream", sends(always(frame(frameReset, 0, 0, uint32s(2)))), false, false},
		{"data of no stream", sends(always(frame(frameData, 0, 0, secret))), false, false},
		{"data before headers", sends(func(s uint32) string { return frame(frameData, endStream, s, secret) }), false, false},
		{"headers of no stream", sends(always(frame(frameHeaders, endHeaders, 0, status200))), false, false},
		{"headers of a stream that nobody opened", sends(always(frame(frameHeaders, endHeaders, 2, status200))), false, false},
		{"a push", sends(func(s uint32) string { return frame(framePush, endHeaders, s, uint32s(2)+status200) }), false, false},
		{"a continuation of nothing", sends(func(s uint32) string { return frame(frameContinuation, endHeaders, s, status200) }), false, false},
		{"continuations without end", func(c net.Conn, s uint32) {
			_, _ = io.WriteString(c, frame(frameHeaders, 0, s, status200))
			floods(always(frame(frameContinuation, 0, s, field("x", secret))))(c, s)
		}, false, false},
		{"headers that are no HPACK", sends(response(0, "\xff\xff\xff\xff\xff\xff\xff")), false, false},
		{"headers that refer to nothing", sends(response(0, "\xfe")), false, false},
		{"a table of headers of a gigabyte", sends(response(0, "\x3f\xe1\xff\xff\xff\x03"+status200)), false, false},
		{"a header that is used 10,000 times", sends(response(endStream, status200+"\x40"+field("x", strings.Repeat("y", 4000))[1:]+strings.Repeat("\xbe", 10_000))), false, false},
		{"padding longer than the frame", sends(func(s uint32) string { return frame(frameData, padded, s, "\xff"+secret) }), false, false},
		{"a stream that depends on itself", sends(func(s uint32) string { return frame(framePriority, 0, s, uint32s(s)+"\x00") }), false, false},
		{"a window that grows by nothing", sends(func(s uint32) string { return frame(frameWindow, 0, s, uint32s(0)) }), false, false},
		{"a window that overflows", sends(always(strings.Repeat(frame(frameWindow, 0, 0, uint32s(1<<31-1)), 2))), false, false},
		{"no status", sends(response(endStream, grpc+field("x", secret))), false, false},
		{"a status that is no number", sends(response(endStream, field(":status", "2x0")+grpc)), false, false},
		{"a redirect", sends(response(endStream, field(":status", "302")+field("location", "http://127.0.0.1:1/"+canary))), false, false},
		{"401 with what was sent", sends(response(endStream, field(":status", "401")+field("www-authenticate", secret))), false, false},
		{"200 with a page", sends(func(s uint32) string {
			return response(0, status200+field("content-type", "text/html"))(s) + frame(frameData, endStream, s, "<html>"+secret)
		}), false, false},
		{"a status of gRPC that is no number", sends(response(endStream, status200+grpc+field("grpc-status", secret))), false, true},
		{"a status of gRPC that nobody knows", sends(response(endStream, status200+grpc+field("grpc-status", "4711")+field("grpc-message", secret))), false, true},
		{"a refusal with details that are none", sends(response(endStream, status200+grpc+field("grpc-status", "8")+field("grpc-status-details-bin", "!!"+canary)+field("grpc-message", "%zz"+secret))), false, true},
		{"a message of 4 GB", sends(func(s uint32) string {
			return response(0, status200+grpc)(s) + frame(frameData, 0, s, "\x00\xff\xff\xff\xff"+secret)
		}), false, false},
		{"a message without end", func(c net.Conn, s uint32) {
			_, _ = io.WriteString(c, response(0, status200+grpc)(s)+frame(frameData, 0, s, "\x00\x00\xff\xff\xff"))
			floods(always(frame(frameData, 0, s, strings.Repeat("x", 1000))))(c, s)
		}, false, true},
		{"compression that was not agreed", sends(func(s uint32) string {
			return response(0, status200+grpc+field("grpc-encoding", "zstd"))(s) + frame(frameData, endStream, s, "\x01\x00\x00\x00\x04abcd")
		}), false, true},
		{"headers and nothing more", sends(response(0, status200+grpc)), false, false},
		{"headers, a byte a second", func(c net.Conn, s uint32) {
			for _, b := range []byte(response(0, status200+grpc)(s)) {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				<-time.After(time.Second)
			}
		}, false, false},
	}
}

// faultyReceiver hands connections on to a receiver; while it is at fault, it answers them itself.
type faultyReceiver struct {
	address string
	fault   *http2Fault
	broken  atomic.Bool
	begun   atomic.Int64 // connections, while it is at fault
	mu      sync.Mutex
	open    []net.Conn
}

func newFaultyReceiver(t *testing.T, fault *http2Fault, to string, over *tls.Config) *faultyReceiver {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &faultyReceiver{address: l.Addr().String(), fault: fault}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f.connection(c, to, over)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		f.set(false)
	})
	return f
}

// set begins or ends the fault, and ends the connections that there are.
func (f *faultyReceiver) set(broken bool) {
	f.broken.Store(broken)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.open {
		_ = c.Close()
	}
	f.open = nil
}

func (f *faultyReceiver) connection(c net.Conn, to string, over *tls.Config) {
	defer c.Close()
	f.mu.Lock()
	f.open = append(f.open, c)
	f.mu.Unlock()
	if !f.broken.Load() {
		out, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer out.Close()
		go func() {
			_, _ = io.Copy(out, c)
			_ = out.Close()
		}()
		_, _ = io.Copy(c, out)
		return
	}
	f.begun.Add(1)
	if over != nil {
		c = tls.Server(c, over)
	}
	if f.fault.bare {
		f.fault.do(c, 1)
		return
	}
	_, _ = io.WriteString(c, frame(frameSettings, 0, 0, ""))
	if _, err := io.CopyN(io.Discard, c, 24); err != nil { // the preface
		return
	}
	for {
		var head [9]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(head[:])>>8)); err != nil {
			return
		}
		if head[3] == frameHeaders {
			f.fault.do(c, binary.BigEndian.Uint32(head[5:]))
			return
		}
	}
}

// A receiver that breaks HTTP/2 in every way known, over gRPC and over HTTP: commits do not wait,
// each attempt is counted, connections are few, nothing grows, nothing that it answers is in the
// log, and it has everything again as soon as it is well.
func TestHTTP2Faults(t *testing.T) {
	faults := http2Faults()
	log.SetOutput(io.Discard) // as main does: net/http writes a line for each unknown frame
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	before := measure()
	t.Run("all", func(t *testing.T) {
		var all sync.WaitGroup
		for i := range faults {
			for _, protocol := range []string{otlp.ProtocolGRPC, otlp.ProtocolHTTP} {
				all.Go(func() { tryHTTP2Fault(t, &faults[i], protocol) })
			}
		}
		all.Wait()
	})
	grown(t, before, "after all")
	if len(faults) < 25 {
		t.Errorf("there are %d cases only", len(faults))
	}
	t.Logf("%d cases over two protocols", len(faults))
}

func tryHTTP2Fault(t *testing.T, fault *http2Fault, protocol string) {
	name := fault.name + ", " + protocol
	e, r := newExporter(t), newReceiver()
	env := map[string]string{
		"OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_TIMEOUT": "1000", "OTEL_LOGS_EXPORTER": "none",
		"OTEL_EXPORTER_OTLP_HEADERS": "authorization=" + canary,
	}
	f := &faultyReceiver{}
	if protocol == otlp.ProtocolGRPC {
		f = newFaultyReceiver(t, fault, strings.TrimPrefix(r.serve(t, protocol), "http://"), nil)
		env["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://" + f.address
	} else {
		own := newAuthority(t, "own")
		well := httptest.NewUnstartedServer(r.handler())
		well.EnableHTTP2, well.TLS = true, own.serverTLS(t, nil)
		well.StartTLS()
		t.Cleanup(func() {
			well.CloseClientConnections()
			well.Close()
		})
		over := own.serverTLS(t, nil)
		over.NextProtos = []string{"h2"}
		f = newFaultyReceiver(t, fault, well.Listener.Addr().String(), over)
		env["OTEL_EXPORTER_OTLP_ENDPOINT"], env["OTEL_EXPORTER_OTLP_CERTIFICATE"] = "https://"+f.address, own.file
	}
	f.set(true)
	e.interval = 200 * time.Millisecond
	stop := e.push(t, env)
	defer stop()
	s := largeSnapshot(20, 1)
	begun := time.Now()
	e.publish(s)
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("%s: a commit waited %v", name, took)
	}
	wait := func(what string, done func() bool) {
		for limit := time.Now().Add(patience); !done(); <-time.After(20 * time.Millisecond) {
			if time.Now().After(limit) {
				t.Errorf("%s: %s: not after %v; %d connections, the log:\n%s", name, what, patience, f.begun.Load(), e.log)
				return
			}
		}
	}
	outcome := metrics.OutcomeFailure
	if fault.yes && protocol == otlp.ProtocolHTTP {
		outcome = metrics.OutcomeSuccess
	}
	wait("a request is counted as "+outcome, func() bool { return e.requests(t, outcome) > 0 })
	<-time.After(500 * time.Millisecond)
	most := int64(12)
	if slices.Contains(againAtOnce, fault.name) {
		most = 5000
	}
	if n := f.begun.Load(); n > most {
		t.Errorf("%s: %d connections in %v", name, n, time.Since(begun))
	}
	f.set(false)
	wait("it has everything again", func() bool { return r.differs(s) == "" })
	if text := e.log.String(); strings.Contains(text, canary) || strings.Count(text, "level=WARN") > 1 {
		t.Errorf("%s: the log has\n%s", name, text)
	}
}
