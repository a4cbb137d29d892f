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

// cutter sends an answer up to a byte, and ends the connection, after an odd number by a reset.
type cutter struct {
	answer []byte
	at     atomic.Int64
}

func (c *cutter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := int(c.at.Load())
	hijack(func(conn net.Conn) {
		_, _ = conn.Write(c.answer[:at])
		if at%2 == 1 && at < len(c.answer) {
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
	})(w, r)
}

// An answer that ends at any of its bytes, in its headers too, by the end of the connection or by a
// reset, is no report: an error says so, and nothing of it passes for the whole.
func TestCutAtEveryByte(t *testing.T) {
	for sample, request := range map[string]func(*Client) error{
		"oauthtokens": func(c *Client) error { _, err := c.Tokens(context.Background(), hour, noRows); return err },
		"forensics":   func(c *Client) error { _, err := c.Forensics(context.Background(), hour, []byte("token")); return err },
		"admin-5.2":   func(c *Client) error { _, err := c.Admin(context.Background()); return err },
	} {
		text, err := os.ReadFile("reports/testdata/" + sample + ".sample")
		if err != nil {
			t.Fatal(err)
		}
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, err = w.Write(text)
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		for encoding, body := range map[string][]byte{"identity": text, "gzip": packed.Bytes()} {
			t.Run(sample+" "+encoding, func(t *testing.T) { cutAtEveryByte(t, encoding, body, request) })
		}
	}
}

func cutAtEveryByte(t *testing.T, encoding string, body []byte, request func(*Client) error) {
	t.Helper()
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n", encoding, len(body))
	c := &cutter{answer: append([]byte(head), body...)}
	server := httptest.NewServer(c)
	defer server.Close()
	client := mustClient(t, config(server.URL))
	step := 1
	if testing.Short() {
		step = 7
	}
	cases := 0
	for at := 0; at < len(c.answer); at += step {
		cases++
		c.at.Store(int64(at))
		var e *Error
		if err := request(client); !errors.As(err, &e) || e.Reason != ReasonConnection && e.Reason != ReasonDecode {
			t.Errorf("cut at byte %d of %d: %v", at, len(c.answer), err)
		}
	}
	c.at.Store(int64(len(c.answer)))
	var e *Error
	if err := request(client); err != nil && (!errors.As(err, &e) || e.Truncated) { // the forensics are about another token
		t.Errorf("whole: %v", err)
	}
	t.Logf("%d cuts", cases)
}
