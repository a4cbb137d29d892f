package otlp

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
)

func httpSignal(t *testing.T, base string, s Signal) sender {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	s.URL, s.Protocol = u.JoinPath("v1/metrics"), ProtocolHTTP
	if s.Timeout == 0 {
		s.Timeout = 10 * time.Second
	}
	sender, err := newSender(&s, serviceMetrics, "abs-exporter/1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sender.close)
	return sender
}

// request is a buffer of a pool of its own, with what an encoder leaves before it.
func request(text string) (*buffer, *buffers) {
	pool := &buffers{}
	b := pool.get()
	b.data, b.from = append(b.data, "xxx"+text...), 3
	return b, pool
}

func TestHTTPRequest(t *testing.T) {
	for _, packed := range []bool{false, true} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body := io.Reader(r.Body)
			if packed {
				zr, err := gzip.NewReader(r.Body)
				if err != nil {
					t.Error(err)
					return
				}
				body = zr
			}
			text, _ := io.ReadAll(body)
			if string(text) != "hello" || r.Method != http.MethodPost || r.URL.Path != "/v1/metrics" ||
				r.Header.Get("Content-Type") != "application/x-protobuf" || r.Header.Get("Api-Key") != "k" || r.UserAgent() != "abs-exporter/1" {
				t.Errorf("%s %s %v: %q", r.Method, r.URL, r.Header, text)
			}
			w.Header().Set("Content-Type", "application/x-protobuf")
			// Five refused, and why.
			_, _ = w.Write(appendMessage(nil, fieldPartialSuccess, appendString(appendVarint(nil, fieldRejected, 5), fieldErrorMessage, "too old")))
		}))
		s := httpSignal(t, server.URL, Signal{Gzip: packed, Headers: map[string]string{"api-key": "k"}})
		for range 3 { // buffers are used anew
			b, pool := request("hello")
			r, err := s.send(t.Context(), b)
			if err != nil || r.rejected != 5 || r.message != "too old" {
				t.Errorf("%+v, %v", r, err)
			}
			if len(pool.free) != 1 {
				t.Errorf("%d buffers were given back", len(pool.free))
			}
		}
		server.Close()
	}
}

// Any 2xx is a yes, whatever its body, unless that is a page for people or no protobuf although it says so.
func TestHTTPAnswersThatSayYes(t *testing.T) {
	for _, tc := range []struct {
		status     int
		kind, body string
		taken      bool
	}{
		{200, "", "", true},
		{204, "", "", true},
		{202, "application/json", "{}", true},
		{200, "text/plain; charset=utf-8", "ok", true},
		{200, "application/x-protobuf; charset=utf-8", "", true},
		{200, "application/x-protobuf", "<html>", false},
		{200, "text/html; charset=utf-8", "<html>", false},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", tc.kind)
			w.WriteHeader(tc.status)
			_, _ = io.WriteString(w, tc.body)
		}))
		b, _ := request("x")
		r, err := httpSignal(t, server.URL, Signal{}).send(t.Context(), b)
		if (err == nil) != tc.taken || r != (reply{}) {
			t.Errorf("%+v: %+v, %v", tc, r, err)
		}
		server.Close()
	}
}

// What a receiver answers is told in one line, without the headers that it was sent and without the URL.
func TestHTTPRefusals(t *testing.T) {
	const secret = "s3cr3t-token"
	for _, tc := range []struct {
		status   int
		header   http.Header
		body     string
		retry    bool
		after    time.Duration
		tooLarge bool
		text     string
	}{
		{status: 400, body: "no " + secret + "\nfor you", text: "the receiver answers 400 Bad Request: no [header] for you"},
		{status: 400, header: http.Header{"Content-Type": {"application/x-protobuf"}}, body: string(appendString(nil, 2, "bad points")), text: "the receiver answers 400 Bad Request: bad points"},
		{status: 401, text: "the receiver answers 401 Unauthorized"},
		{status: 302, header: http.Header{"Location": {"http://127.0.0.1:1/" + secret}}, text: "the receiver answers 302 Found"},
		{status: 413, tooLarge: true, text: "the receiver answers 413 Request Entity Too Large"},
		{status: 429, header: http.Header{"Retry-After": {"7"}}, retry: true, after: 7 * time.Second, text: "the receiver answers 429 Too Many Requests"},
		{status: 503, header: http.Header{"Retry-After": {"soon"}}, retry: true, text: "the receiver answers 503 Service Unavailable"},
		{status: 500, body: strings.Repeat("x", 1000), text: "the receiver answers 500 Internal Server Error: " + strings.Repeat("x", longestText) + "…"},
		{status: 200, body: "<html>", text: "the endpoint answers 200, but with no OTLP response: is it an OTLP receiver?"},
	} {
		t.Run(fmt.Sprint(tc.status, tc.text), func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for name, values := range tc.header {
					w.Header()[name] = values
				}
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			}))
			defer server.Close()
			b, _ := request("x")
			_, err := httpSignal(t, server.URL, Signal{Headers: map[string]string{"authorization": "Bearer " + secret}}).send(t.Context(), b)
			var r *refusal
			if !errors.As(err, &r) || r.text != tc.text || r.retry != tc.retry || r.after != tc.after || r.tooLarge != tc.tooLarge {
				t.Errorf("%+v, want %+v", err, tc)
			}
		})
	}
}

func TestHTTPWithoutAnAnswer(t *testing.T) {
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-hang
	}))
	defer server.Close()
	defer close(hang)
	for base, want := range map[string]string{
		server.URL:           "no answer within 50ms",
		"http://127.0.0.1:1": "connection refused",
	} {
		b, _ := request("x")
		_, err := httpSignal(t, base, Signal{Timeout: 50 * time.Millisecond}).send(t.Context(), b)
		var r *refusal
		if !errors.As(err, &r) || !r.retry || !strings.Contains(r.text, want) || strings.Contains(r.text, "v1/metrics") {
			t.Errorf("%s: %v", base, err)
		}
	}
}

// A receiver's words may be anything.
func FuzzReply(f *testing.F) {
	f.Add([]byte{0x0a, 0x02, 0x08, 0x05})
	f.Add([]byte("<html>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseReply(b)
		if err == nil && r.rejected < 0 {
			t.Errorf("%d rejected", r.rejected)
		}
		if text := plainText(string(b), map[string]string{"k": "secret"}); strings.ContainsAny(text, "\n\r\x00") || strings.Contains(text, "secret") {
			t.Errorf("%q", text)
		}
	})
}
