package abs

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Faults of other programs' fields, tried on this client.

// A server closes idle connections just when the next request is sent, as a service does that
// closes them after a minute and is polled each minute. Clients see an EOF, seemingly at random.
func TestIdleTimeoutOfTheLengthOfThePause(t *testing.T) {
	var requests atomic.Int32
	const pause = 3 * time.Millisecond
	server := serveConfigured(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		_, _ = io.WriteString(w, emptyReport)
	}, func(s *http.Server) { s.IdleTimeout = pause })
	client := mustClient(t, trusting(t, server))
	const calls = 200
	for range calls {
		if _, err := client.Tokens(t.Context(), hour, noRows); err != nil {
			t.Error(err)
		}
		time.Sleep(pause) // so that both happen at once, as in the field
	}
	if n := requests.Load(); n != calls {
		t.Errorf("%d requests for %d calls", n, calls)
	}
}

// Unsolicited informational (1xx) responses, before the response or without an end.
func TestInformationalAnswers(t *testing.T) {
	for text, want := range map[string]Reason{
		"HTTP/1.1 100 Continue\r\n\r\n":                           "",
		"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n":          "",
		strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100_000):  ReasonConnection,
		strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 10_000): ReasonConnection,
	} {
		server := serve(t, hijack(func(c net.Conn) {
			w := bufio.NewWriter(c)
			_, _ = w.WriteString(text + "HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(len(emptyReport)) + "\r\n\r\n" + emptyReport)
			_ = w.Flush()
		}))
		_, err := mustClient(t, trusting(t, server)).Tokens(t.Context(), hour, noRows)
		if ReasonOf(err) != want {
			t.Errorf("%.30q, %d bytes: %v, want %q", text, len(text), err, want)
		}
	}
}
