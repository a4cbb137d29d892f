package otlp

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/metrics"
	"github.com/abs-exporter/abs-exporter/metrics/otlp"
)

// A receiver vanishes without a word: what is sent is acknowledged by the network, and nothing ever
// answers, on new connections neither. Commits do not wait, and when it is back it gets all events
// and the metrics of that moment, on new connections.
func TestReceiverThatVanishes(t *testing.T) {
	for _, protocol := range []string{otlp.ProtocolGRPC, otlp.ProtocolHTTP} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			e, r := newExporter(t), newReceiver()
			p := newBlackhole(t, strings.TrimPrefix(r.serve(t, protocol), "http://"))
			e.push(t, map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + p.address, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_TIMEOUT": "1000",
			})
			var last *metrics.Snapshot
			sent := 0
			var commits waits
			round := func() {
				one := events()[0]
				one.Token = fmt.Sprintf("%016x", sent)
				sent++
				last = largeSnapshot(100, int64(sent))
				begun := time.Now()
				e.pushers[0].Event(one)
				e.publish(last)
				commits.enter(time.Since(begun))
			}
			complete := func() bool { return r.differs(last) == "" && r.tokens() == sent }
			round()
			until(t, "the receiver has everything", complete)

			p.vanish()
			failures := func(signal string) float64 {
				return e.count(t, metrics.OTLPRequests.Name, map[string]string{"signal": signal, "outcome": metrics.OutcomeFailure})
			}
			for failures(metrics.SignalMetrics) < 2 || failures(metrics.SignalLogs) < 2 {
				round()
				<-time.After(200 * time.Millisecond)
			}
			commits.check(t)
			p.comeBack()
			until(t, "it has everything again", complete)
			if n := e.dropped(t, metrics.SignalLogs) + e.dropped(t, metrics.SignalMetrics); n != 0 {
				t.Errorf("%v items dropped", n)
			}
			until(t, "the log says that it is over", func() bool { return strings.Count(e.log.String(), "OTLP push recovered") == 2 })
			if text := e.log.String(); strings.Count(text, "level=WARN") != 2 || strings.Count(text, "no answer within 1s") != 2 {
				t.Errorf("the log says %s", text)
			}
		})
	}
}

// A connection is lost, and the receiver is there: the next attempt has a new connection.
func TestConnectionThatIsLost(t *testing.T) {
	for _, protocol := range []string{otlp.ProtocolGRPC, otlp.ProtocolHTTP} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			own := newAuthority(t, "own")
			server, requests := serveTLS(t, protocol, own.serverTLS(t, nil)) // HTTP is HTTP/2
			p := newBlackhole(t, strings.TrimPrefix(server, "https://"))
			e := newExporter(t)
			e.push(t, map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": "https://" + p.address, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_TIMEOUT": "1000",
				"OTEL_EXPORTER_OTLP_CERTIFICATE": own.file, "OTEL_EXPORTER_OTLP_HEADERS": "Api-Key=k", "OTEL_LOGS_EXPORTER": "none",
			})
			round := int64(0)
			push := func() bool {
				round++
				e.publish(largeSnapshot(20_000, round)) // many requests: the connection is in use
				return e.requests(t, metrics.OutcomeFailure) > 0
			}
			push()
			until(t, "a push arrives", func() bool { return requests.Load() > 0 })
			p.vanish()
			until(t, "a push fails", push)
			p.comeBack()
			before := requests.Load()
			until(t, "there is another connection", func() bool { return requests.Load() > before })
		})
	}
}

// blackhole passes connections on. While it has vanished, it swallows what comes on those that it
// has and on new ones, and it goes on swallowing it from these when it is back.
type blackhole struct {
	address string
	mu      sync.Mutex
	lost    chan struct{} // closed when the connections made since are lost
}

func newBlackhole(t *testing.T, to string) *blackhole {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &blackhole{address: l.Addr().String(), lost: make(chan struct{})}
	var all []net.Conn
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			all = append(all, in, out)
			p.mu.Lock()
			lost := p.lost
			p.mu.Unlock()
			go pass(in, out, lost)
			go pass(out, in, lost)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
		for _, c := range all {
			_ = c.Close()
		}
	})
	return p
}

// pass copies until an end; once the connection is lost, nothing gets through, an end neither.
func pass(from, to net.Conn, lost chan struct{}) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		select {
		case <-lost:
			if err != nil {
				return
			}
		default:
			if err != nil {
				_ = to.Close()
				return
			}
			_, _ = to.Write(b[:n])
		}
	}
}

func (p *blackhole) vanish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.lost)
}

func (p *blackhole) comeBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = make(chan struct{})
}
