package abs

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
)

// An answer that ends at any of its bytes, in its headers too, by the end of the connection or by a
// reset, is no report: an error says so, and nothing of it passes for the whole.
func TestCutAtEveryByte(t *testing.T) {
	for _, sample := range []string{"oauthtokens", "forensics", "admin-5.2"} {
		text, err := os.ReadFile("testdata/" + sample + ".sample")
		if err != nil {
			t.Fatal(err)
		}
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for encoding, body := range map[string][]byte{"identity": text, "gzip": packed.Bytes()} {
			head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n", encoding, len(body))
			answer := append([]byte(head), body...)
			var at, reset atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				hijack(func(c net.Conn) {
					_, _ = c.Write(answer[:at.Load()])
					if reset.Load() == 1 {
						_ = c.(*net.TCPConn).SetLinger(0)
					}
				})(w, nil)
			}))
			client := mustClient(t, Config{URL: server.URL, Keys: StaticKeys("a", "s"), Rate: 1e6, Concurrency: 1})
			step := 1
			if testing.Short() {
				step = 7
			}
			cases := 0
			for n := 0; n <= len(answer); n += step {
				at.Store(int64(n))
				reset.Store(int64(n % 2))
				var err error
				switch sample {
				case "forensics":
					_, err = client.Forensics(context.Background(), hour, []byte("token"))
				case "admin-5.2":
					_, err = client.Admin(context.Background())
				default:
					_, err = client.Tokens(context.Background(), hour, noRows)
				}
				cases++
				var e *Error
				if n == len(answer) && n%2 == 0 {
					if err != nil && sample != "forensics" { // it is about another token
						t.Errorf("%s, %s, whole: %v", sample, encoding, err)
					}
					continue
				}
				if n < len(answer) && (!errors.As(err, &e) || e.Reason != ReasonConnection && e.Reason != ReasonDecode) {
					t.Errorf("%s, %s, cut at byte %d of %d: %v", sample, encoding, n, len(answer), err)
				}
			}
			server.Close()
			t.Logf("%s, %s: %d cuts", sample, encoding, cases)
		}
	}
}
