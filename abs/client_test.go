package abs

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// What must never come out of the client: keys, a token, and with the token the query.
const (
	accessKey = "cAnArY-access"
	secretKey = "cAnArY-secret"
	someToken = "cAnArY token/+é&?"
	canary    = "cAnArY"
)

// named is the member that begins an oauthtokens report.
const named = `"name":"oauth_token_metrics"`

// manyRows returns an oauthtokens report of so many rows.
func manyRows(n int) []byte {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = fmt.Sprintf(`{"token":"token %x","total_requests":%d,"ip_list":[{"ip":"192.0.2.7","total_requests":1}]}`, 1<<40+i*7919, i)
	}
	return []byte(`{` + named + `,"details":[` + strings.Join(rows, ",") + `]}`)
}

// secretsIn reports whether a text contains any of them, raw or escaped.
func secretsIn(text string) bool {
	return strings.Contains(text, canary) || strings.Contains(text, "later_date") || strings.Contains(text, "earlier_date")
}

// checkQuiet checks an error and everything that it wraps for secrets.
func checkQuiet(t *testing.T, err error) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		if text := fmt.Sprintf("%v %+v %#v %s %q", e, e, e, e, e); secretsIn(text) {
			t.Errorf("contains a secret: %s", text)
		}
		var u *url.Error
		if errors.As(e, &u) {
			t.Errorf("holds a *url.Error: %v", e)
		}
	}
}

var hour = Window{From: time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC), To: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}

func noRows(*Row) error { return nil }

func config(url string) Config {
	return Config{URL: url, Keys: StaticKeys(accessKey, secretKey), Rate: 1e6, Timeout: 10 * time.Second}
}

func mustClient(t *testing.T, c Config) *Client {
	t.Helper()
	client, err := NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// serve starts an HTTPS server that discards its log.
func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	return serveConfigured(t, h, func(*http.Server) {})
}

func serveConfigured(t *testing.T, h http.HandlerFunc, configure func(*http.Server)) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.EnableHTTP2 = true
	configure(s.Config)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// writePEM writes the server's certificate, which is its own authority.
func writeCA(t *testing.T, s *httptest.Server, name string) {
	t.Helper()
	pem := pemOf("CERTIFICATE", s.Certificate().Raw)
	if err := os.WriteFile(name, pem, 0o600); err != nil {
		t.Fatal(err)
	}
}

// trusting returns a configuration that trusts the server's certificate.
func trusting(t *testing.T, s *httptest.Server) Config {
	t.Helper()
	c := config(s.URL)
	c.TLS.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	writeCA(t, s, c.TLS.CAFile)
	return c
}

// checkHeader checks that the wanted headers are sent, and no other keys.
func checkHeader(t *testing.T, name string, got, want http.Header) {
	t.Helper()
	for key := range want {
		if got.Get(key) != want.Get(key) {
			t.Errorf("%s: header %s is %q, want %q", name, key, got.Get(key), want.Get(key))
		}
	}
	for key := range got {
		if strings.HasPrefix(key, "X-Abs") && want[key] == nil {
			t.Errorf("%s: header %s is sent", name, key)
		}
	}
}

func TestRequests(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones here")
	}
	var got *http.Request
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		if r.URL.Query().Has("token") {
			_, _ = io.WriteString(w, `{"name":"api_abs_token"}`)
			return
		}
		_, _ = io.WriteString(w, `{`+named+`}`)
	})
	for _, c := range []struct {
		name   string
		change func(*Config)
		uri    string
		header http.Header
	}{
		{
			"plain", func(*Config) {}, "/v4/abs/oauthtokens?later_date=2026-11-23T08:00&earlier_date=2026-11-23T07:00",
			http.Header{"X-Abs-Ak": {accessKey}, "X-Abs-Sk": {secretKey}, "User-Agent": {"abs-exporter"}},
		},
		{
			"prefix, zone, restricted, agent", func(c *Config) {
				c.URL += "/ping%2Fx/"
				c.Location, c.User, c.UserAgent = berlin, Restricted, "test/1"
			}, "/ping%2Fx/v4/abs/oauthtokens?later_date=2026-11-23T09:00&earlier_date=2026-11-23T08:00",
			http.Header{"X-Abs-Ak-Ru": {accessKey}, "X-Abs-Sk-Ru": {secretKey}, "User-Agent": {"test/1"}},
		},
		{
			"inclusive", func(c *Config) { c.WindowEnd = Inclusive },
			"/v4/abs/oauthtokens?later_date=2026-11-23T07:59&earlier_date=2026-11-23T07:00", nil,
		},
	} {
		config := trusting(t, server)
		c.change(&config)
		client := mustClient(t, config)
		if _, err := client.Tokens(context.Background(), hour, noRows); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got.Method != http.MethodGet || got.RequestURI != c.uri {
			t.Errorf("%s: %s %s, want GET %s", c.name, got.Method, got.RequestURI, c.uri)
		}
		if c.header != nil {
			checkHeader(t, c.name, got.Header, c.header)
		}
		if got.Proto != "HTTP/1.1" || got.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("%s: %s, Accept-Encoding %q; want HTTP/1.1 and gzip", c.name, got.Proto, got.Header.Get("Accept-Encoding"))
		}
		if _, err := client.Forensics(context.Background(), hour, []byte(someToken)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		uri := strings.Replace(c.uri, "/oauthtokens", "", 1) + "&token=cAnArY%20token%2F%2B%C3%A9%26%3F"
		if got.RequestURI != uri {
			t.Errorf("%s: %s, want %s", c.name, got.RequestURI, uri)
		}
	}
}

func TestGzipAndReuse(t *testing.T) {
	body := manyRows(300)
	var connections sync.Map
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		connections.Store(r.RemoteAddr, true)
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(body)
		_ = z.Close()
	})
	var calls []Call
	c := trusting(t, server)
	c.Observe = func(call Call) { calls = append(calls, call) }
	client := mustClient(t, c)
	for range 3 {
		sum, err := client.Tokens(context.Background(), hour, noRows)
		if err != nil || sum.Rows != 300 || sum.Bytes != int64(len(body)) {
			t.Fatalf("%+v %v", sum, err)
		}
	}
	n := 0
	connections.Range(func(_, _ any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d connections for three requests", n)
	}
	if len(calls) != 3 || calls[2].Report != "oauthtokens" || calls[2].Bytes != int64(len(body)) || calls[2].Err != nil || calls[2].Duration <= 0 {
		t.Errorf("observed %+v", calls)
	}
}

// echo answers with what was requested, as an ABS might.
func echo(status int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "%s %v", r.RequestURI, r.Header)
	}
}

// body answers with a status and a body.
func body(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

func hijack(f func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		f(conn)
		_ = conn.Close()
	}
}

// send sends the text and closes the connection.
func send(text string) http.HandlerFunc {
	return hijack(func(c net.Conn) { _, _ = io.WriteString(c, text) })
}

// slow sends the text and then nothing until the client is gone.
func slow(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if text != "" {
			_, _ = io.WriteString(w, text)
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	}
}

// gzipped sends a compressed body that change has damaged.
func gzipped(change func([]byte) []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = io.WriteString(z, `{"x":[`)
		for i := range 2000 {
			_, _ = fmt.Fprintf(z, "%d,", i*i*i%9973)
		}
		_, _ = io.WriteString(z, `0],"name":"`)
		_ = z.Close()
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(change(b.Bytes()))
	}
}

func tooLong(w http.ResponseWriter, _ *http.Request) {
	for range 100 {
		if _, err := io.WriteString(w, strings.Repeat(" ", 1000)); err != nil {
			return
		}
	}
}

const completeButTruncated = "a complete report in a truncated body"

// failure is a way in which ABS can fail, and the error that it leads to.
type failure struct {
	name    string
	handler http.HandlerFunc
	want    Error
	text    string // the begin of the error's text, after the report
}

func failures(now time.Time) []failure {
	return []failure{
		{"401", echo(401), Error{Reason: ReasonAuth, Status: 401}, "ABS refused the keys, or what their user may not read: 401 Unauthorized"},
		{"403", echo(403), Error{Reason: ReasonAuth, Status: 403}, "ABS refused the keys, or what their user may not read: 403 Forbidden"},
		{"400", echo(400), Error{Reason: ReasonStatus, Status: 400}, "ABS answered 400 Bad Request"},
		{"404", echo(404), Error{Reason: ReasonStatus, Status: 404}, "ABS answered 404 Not Found"},
		{"413", echo(413), Error{Reason: ReasonSize, Status: 413}, "ABS answered 413 Request Entity Too Large"},
		{"414", echo(414), Error{Reason: ReasonStatus, Status: 414}, "ABS answered 414 Request URI Too Long"},
		{
			"302", echo(302, "Location", "/elsewhere"),
			Error{Reason: ReasonStatus, Status: 302},
			"ABS answered 302 Found; redirects are not followed, since they would carry keys elsewhere",
		},
		{"304", echo(304), Error{Reason: ReasonStatus, Status: 304}, "ABS answered 304 Not Modified; redirects are not followed, since they would carry keys elsewhere"},
		{"429", echo(429, "Retry-After", "30"), Error{Reason: ReasonStatus, Status: 429, RetryAfter: 30 * time.Second}, "ABS answered 429 Too Many Requests, and asks to wait 30s"},
		{
			"503", echo(503, "Retry-After", now.Add(time.Minute).Format(http.TimeFormat)),
			Error{Reason: ReasonStatus, Status: 503, RetryAfter: time.Minute},
			"ABS answered 503 Service Unavailable, and asks to wait 1m0s",
		},
		{
			"429 with a date", echo(429, "Retry-After", now.Add(time.Hour).Format(http.TimeFormat)),
			Error{Reason: ReasonStatus, Status: 429, RetryAfter: time.Hour},
			"ABS answered 429 Too Many Requests, and asks to wait 1h0m0s",
		},
		{"431", echo(431), Error{Reason: ReasonStatus, Status: 431}, "ABS answered 431 Request Header Fields Too Large"},
		{"503 in seconds", echo(503, "Retry-After", " 7 "), Error{Reason: ReasonStatus, Status: 503, RetryAfter: 7 * time.Second}, "ABS answered 503 Service Unavailable, and asks to wait 7s"},
		{"unknown status", echo(599, "Retry-After", "cAnArY"), Error{Reason: ReasonStatus, Status: 599}, "ABS answered 599"},
		{"echo as a report", echo(200), Error{Reason: ReasonDecode}, "the answer is not JSON (byte 0)"},
		{"no content", body(204, ""), Error{Reason: ReasonDecode}, "the body is empty (byte 0)"},
		{"an empty body", body(200, ""), Error{Reason: ReasonDecode}, "the body is empty (byte 0)"},
		{"accepted", body(202, ""), Error{Reason: ReasonDecode}, "the body is empty (byte 0)"},
		{"blanks", body(200, " \r\n\t"), Error{Reason: ReasonDecode, Offset: 4}, "the body has nothing but white space (byte 4)"},
		{"a byte order mark", body(200, "\ufeff\n"), Error{Reason: ReasonDecode, Offset: 4}, "the body has nothing but white space (byte 4)"},
		{"UTF-16", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			body(200, "\xff\xfe{\x00")(w, r)
		}, Error{Reason: ReasonDecode}, "the answer is in UTF-16, not in UTF-8 (byte 0)"},
		{"cut before the first byte", hijack(func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n") }), Error{Reason: ReasonDecode}, "the body is empty (byte 0)"},
		{
			"message", func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprintf(w, `{"message":%q}`, r.RequestURI) },
			Error{Reason: ReasonDecode},
			"ABS answered with a message instead of a report (byte ",
		},
		{"no answer in time", slow(""), Error{Reason: ReasonTimeout}, "no answer within 500ms"},
		{"no complete answer in time", slow(`{"x":[{"token":"cAnArY`), Error{Reason: ReasonTimeout}, "no complete answer within 500ms"},
		{
			"cut by length", send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"x\":[{\"token\":\"cAnArY"),
			Error{Reason: ReasonDecode, Truncated: true, Offset: 22},
			"the body ends early (",
		},
		{
			"cut by chunk", send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"x\":\r\n"),
			Error{Reason: ReasonDecode, Truncated: true, Offset: 5},
			"the body ends early (byte 5)",
		},
		{"cut by closing", send("HTTP/1.0 200 OK\r\n\r\n{\"x\":"), Error{Reason: ReasonDecode, Truncated: true, Offset: 5}, "the body ends early (byte 5)"},
		{
			completeButTruncated, send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"name\":\"oauth_token_metrics\"}"),
			Error{Reason: ReasonDecode, Truncated: true, Offset: 30},
			"the body ends early (byte 30)",
		},
		{"cut gzip", gzipped(func(b []byte) []byte { return b[:len(b)/2] }), Error{Reason: ReasonDecode, Truncated: true}, "the body ends early ("},
		{"damaged gzip", gzipped(func(b []byte) []byte { return append(b[:len(b)/2:len(b)/2], bytes.Repeat([]byte{0xff}, 500)...) }), Error{Reason: ReasonDecode}, ""},
		{"no gzip", gzipped(func([]byte) []byte { return []byte("cAnArY cAnArY") }), Error{Reason: ReasonDecode}, "the compressed body is damaged (byte 0)"},
		{"reset before the answer", hijack(resetConn), Error{Reason: ReasonConnection}, "the connection failed while ABS was asked: connection reset by peer"},
		{"closed without an answer", send(""), Error{Reason: ReasonConnection}, "ABS closed the connection without an answer"},
		{"no HTTP", send("cAnArY later_date cAnArY\r\n\r\n"), Error{Reason: ReasonConnection}, "what answers is no HTTP server; is the URL meant to begin with https://?"},
		{"bad status line", send("HTTP/1.1 cAnArY\r\n\r\n"), Error{Reason: ReasonConnection}, "what answers is no HTTP server; is the URL meant to begin with https://?"},
		{"bad header", send("HTTP/1.1 200 OK\r\ncAnArY\r\n\r\n"), Error{Reason: ReasonConnection}, ""},
		{"header without end", send("HTTP/1.1 200 OK\r\nX: " + strings.Repeat(canary, 100_000)), Error{Reason: ReasonConnection}, ""},
		{"too long", tooLong, Error{Reason: ReasonSize, Offset: 20_000}, "the body is longer than 20000 bytes, twice the response cap (byte 20000)"},
	}
}

// check checks the error of one report, except where the truncated body is complete for that
// report.
func (c *failure) check(t *testing.T, report string, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%s: %v", report, err)
	}
	checkQuiet(t, err)
	if e.Reason == ReasonTimeout && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("not a DeadlineExceeded: %v", err)
	}
	same := e.Report == report && e.Reason == c.want.Reason && ReasonOf(err) == c.want.Reason && e.Status == c.want.Status &&
		e.Truncated == c.want.Truncated && e.RetryAfter == c.want.RetryAfter && (c.want.Offset == 0 || e.Offset == c.want.Offset)
	if !same && (c.name != completeButTruncated || report == "oauthtokens") {
		t.Errorf("%#v\nwant %#v", e, c.want)
	}
	if c.name != completeButTruncated && !strings.HasPrefix(placeless(err), "abs: "+report+": "+c.text) {
		t.Errorf("text %q, want %q", err, c.text)
	}
}

// Every way in which ABS can fail has its reason, and no error contains a secret.
func TestFailures(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for _, c := range failures(now) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(c.handler)
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.StartTLS() // HTTP/1.1, which can be hijacked
			defer server.Close()
			config := trusting(t, server)
			config.ResponseCap = 10_000
			config.Now = func() time.Time { return now }
			if strings.HasSuffix(c.name, "in time") {
				config.Timeout = 500 * time.Millisecond
			}
			var calls []Call
			config.Observe = func(call Call) { calls = append(calls, call) }
			client := mustClient(t, config)
			_, err1 := client.Tokens(context.Background(), hour, noRows)
			_, err2 := client.Forensics(context.Background(), hour, []byte(someToken))
			_, err3 := client.AttackList(context.Background(), hour, func([]byte) error { return nil })
			_, err4 := client.Attacks(context.Background(), hour, someToken, func(FlaggedToken) error { return nil })
			for report, err := range map[string]error{"oauthtokens": err1, "forensics": err2, "attacklist": err3, "attack": err4} {
				c.check(t, report, err)
			}
			if len(calls) != 4 || calls[0].Err != err1 || calls[1].Err != err2 || calls[2].Err != err3 || calls[3].Err != err4 { //nolint:errorlint // the very ones
				t.Errorf("observed %+v", calls)
			}
		})
	}
}

// resetConn resets a connection.
func resetConn(c net.Conn) {
	raw := c.(*tls.Conn).NetConn().(*net.TCPConn)
	_ = raw.SetLinger(0)
	_ = raw.Close()
}

// A connection that is reset in the middle of a body is not a body that ABS ended.
func TestResetInTheBody(t *testing.T) {
	const body = `{"details":[{"token":"cAnArY","total_requests":1},`
	seen := make(chan struct{})
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"+body)
		<-seen // a reset overtakes what was sent before it
		resetConn(conn)
	}))
	defer server.Close()
	_, err := mustClient(t, trusting(t, server)).Tokens(context.Background(), hour, func(*Row) error {
		close(seen)
		return nil
	})
	const want = "abs: oauthtokens: the connection failed while the answer was read: connection reset by peer (byte 50)"
	var e *Error
	if !errors.As(err, &e) || e.Reason != ReasonConnection || !e.Truncated || placeless(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
	checkQuiet(t, err)
}

// A handler that gives up in the middle of a body.
func TestAbortedBody(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"details":[`)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	_, err := mustClient(t, trusting(t, server)).Tokens(context.Background(), hour, noRows)
	var e *Error
	if !errors.As(err, &e) || e.Reason != ReasonDecode || !e.Truncated || e.Offset != 12 {
		t.Errorf("%#v", err)
	}
}

func TestNobodyThere(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for url, want := range map[string]string{
		"https://" + address:                             "abs: forensics: " + address + ": the connection failed while ABS was asked: connection refused",
		strings.Replace(plain.URL, "http:", "https:", 1): "abs: forensics: " + plain.Listener.Addr().String() + ": ABS does not speak TLS on this port; is its URL meant to begin with http://?",
	} {
		_, err := mustClient(t, config(url)).Forensics(context.Background(), hour, []byte(someToken))
		if ReasonOf(err) != ReasonConnection || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		checkQuiet(t, err)
	}
}

// The transport that a caller passes in may return any error.
func TestForeignTransportErrors(t *testing.T) {
	failing := func(err error) Config {
		c := config("https://abs.example.com")
		c.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			return nil, &url.Error{Op: "Get", URL: r.URL.String(), Err: err}
		})
		return c
	}
	for err, reason := range map[error]Reason{
		errors.New("cAnArY"): ReasonConnection,
		&net.OpError{Op: "remote error", Err: errors.New("cAnArY")}: ReasonConnection,
		&net.DNSError{Err: "cAnArY", Name: "cAnArY"}:                ReasonConnection,
		context.DeadlineExceeded:                                    ReasonTimeout,
		os.ErrDeadlineExceeded:                                      ReasonTimeout,
		context.Canceled:                                            ReasonOther,
	} {
		_, got := mustClient(t, failing(err)).Forensics(context.Background(), hour, []byte(someToken))
		if ReasonOf(got) != reason {
			t.Errorf("%v is %s, want %s", err, ReasonOf(got), reason)
		}
		checkQuiet(t, got)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(body string) *http.Response {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	client := mustClient(t, trusting(t, server))
	for _, when := range []string{"while ABS was asked", "before the request was sent"} {
		_, err := client.Tokens(ctx, hour, noRows)
		if !errors.Is(err, context.Canceled) || ReasonOf(err) != ReasonOther || err.Error() != "abs: oauthtokens: cancelled "+when {
			t.Errorf("%v", err)
		}
		checkQuiet(t, err)
	}
}

// A server whose client hangs up may still answer, with anything, and net/http may hand that over
// before it sees that the context has ended.
func TestAnswerAfterTheEnd(t *testing.T) {
	late := map[string]func() *http.Response{
		"empty":     func() *http.Response { return answer("") },
		"a message": func() *http.Response { return answer(`{"error":"client closed request"}`) },
		"no JSON":   func() *http.Response { return answer("client closed request") },
		"complete":  func() *http.Response { return answer(`"details":[]}`) },
		"closed":    func() *http.Response { return &http.Response{StatusCode: 499, Body: http.NoBody} },
		"encoded": func() *http.Response {
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Encoding": {"br"}}, Body: http.NoBody}
		},
	}
	for _, end := range []struct {
		name, head, rest string
		cancelled        bool
		reason           Reason
	}{
		{"cancelled", "cancelled while ABS was asked", "cancelled while the answer was read", true, ReasonOther},
		{"timeout", "abs.example.com:443: no answer within 10s", "abs.example.com:443: no complete answer within 10s", false, ReasonTimeout},
	} {
		for name, late := range late {
			t.Run(end.name+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					for want, transport := range map[string]func(gone func()) *http.Response{
						end.head: func(gone func()) *http.Response { gone(); return late() },
						end.rest: func(gone func()) *http.Response {
							a := late()
							a.StatusCode, a.Header = 200, nil
							a.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"+named+","), atFirstRead(gone), a.Body))
							return a
						},
					} {
						ctx, cancel := context.WithCancel(context.Background())
						defer cancel()
						c := config("https://abs.example.com")
						c.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
							return transport(func() {
								if end.cancelled {
									cancel()
								}
								<-r.Context().Done()
							}), nil
						})
						_, err := mustClient(t, c).Tokens(ctx, hour, noRows)
						if err == nil || !strings.HasPrefix(err.Error(), "abs: oauthtokens: "+want) || ReasonOf(err) != end.reason {
							t.Errorf("%v, want %s", err, want)
						}
					}
				})
			})
		}
	}
}

// atFirstRead returns an empty reader that calls f when it is read.
func atFirstRead(f func()) io.Reader {
	return readerFunc(func([]byte) (int, error) { f(); return 0, io.EOF })
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestRowsErrorComesBack(t *testing.T) {
	stop := errors.New("stop")
	body := manyRows(2000)
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
	_, err := mustClient(t, trusting(t, server)).Tokens(context.Background(), hour, func(*Row) error { return stop })
	if err != stop { //nolint:errorlint // the very one
		t.Errorf("%v", err)
	}
}

func TestBadWindows(t *testing.T) {
	client := mustClient(t, config("https://abs.example.com"))
	for want, w := range map[string]Window{
		"abs: oauthtokens: the window ends before it begins, or is empty; the request was not sent":               {hour.From, hour.From},
		"abs: oauthtokens: the window is not of full minutes, and ABS knows no seconds; the request was not sent": {hour.From.Add(time.Second), hour.To},
		"abs: oauthtokens: the window is not within the years 1 to 9999; the request was not sent":                {hour.From, hour.To.AddDate(8000, 0, 0)},
	} {
		if _, err := client.Tokens(context.Background(), w, noRows); ReasonOf(err) != ReasonOther || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := client.Forensics(context.Background(), hour, nil); ReasonOf(err) != ReasonOther {
		t.Errorf("%v", err)
	}
}

// The rate is kept without bursts; waiting for it is not part of the timeout.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		c := config("https://abs.example.com")
		c.Rate, c.Timeout, c.Concurrency = 0.5, time.Second, 3
		var mu sync.Mutex
		c.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(start))
			return answer(`{` + named + `}`), nil
		})
		client := mustClient(t, c)
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if _, err := client.Tokens(context.Background(), hour, noRows); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got, want := fmt.Sprint(at), "[0s 2s 4s 6s 8s]"; got != want {
			t.Errorf("requests at %s, want %s", got, want)
		}
		// A deadline before the next turn of the limiter is reported at once.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := client.Tokens(ctx, hour, noRows); ReasonOf(err) != ReasonTimeout || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		c := config("https://abs.example.com")
		c.Concurrency = 2
		c.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
			n := now.Add(1)
			defer now.Add(-1)
			most.Store(max(most.Load(), n))
			time.Sleep(5 * time.Second)
			return answer(`{` + named + `}`), nil
		})
		client := mustClient(t, c)
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				if _, err := client.Tokens(context.Background(), hour, noRows); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := client.Tokens(ctx, hour, noRows); ReasonOf(err) != ReasonTimeout {
			t.Errorf("waiting beyond the deadline: %v", err)
		}
		wg.Wait()
		if most.Load() != 2 {
			t.Errorf("%d at once, want 2", most.Load())
		}
	})
}

// placeless returns the text of an error without its place, which has the port of a test.
func placeless(err error) string {
	if e := (*Error)(nil); errors.As(err, &e) && e.Place != "" {
		return strings.Replace(err.Error(), e.Place+": ", "", 1)
	}
	return err.Error()
}

// An error names the place: the path for a status, host and port for a connection, the proxy in
// between; never the query, a key or the proxy's password.
func TestErrorsNameThePlace(t *testing.T) {
	refuse := func(status int, body string) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, body, status) }))
	}
	notFound, bad, plainHTTP := refuse(404, "no /cAnArY"), refuse(400, "cAnArY"), refuse(400, "You sent plain HTTP to a TLS port. cAnArY")
	tlsOnly := httptest.NewUnstartedServer(http.NotFoundHandler())
	tlsOnly.Config.ErrorLog = log.New(io.Discard, "", 0)
	tlsOnly.StartTLS()
	for _, s := range []*httptest.Server{notFound, bad, plainHTTP, tlsOnly} {
		defer s.Close()
	}
	plain := func(s *httptest.Server) string { return "http://" + s.Listener.Addr().String() }
	proxied := func(c *Config) {
		through := newTransport(c, nil)
		through.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse("http://user:cAnArY@127.0.0.1:1") }
		c.Transport = through
	}
	for name, test := range map[string]struct {
		url    string
		change func(*Config)
		want   string
	}{
		"404":               {plain(notFound) + "/base", nil, "abs: forensics: /base/v4/abs: ABS answered 404 Not Found"},
		"400":               {plain(bad), nil, "abs: forensics: /v4/abs: ABS answered 400 Bad Request; if this is a TLS port, the URL begins with https://"},
		"400 that says why": {plain(plainHTTP), nil, "abs: forensics: /v4/abs: ABS answered 400 Bad Request: this is a TLS port, so the URL begins with https://"},
		"TLS port":          {plain(tlsOnly), nil, "abs: forensics: /v4/abs: ABS answered 400 Bad Request: this is a TLS port, so the URL begins with https://"},
		"nobody":            {"http://127.0.0.1:1/base", nil, "abs: forensics: 127.0.0.1:1: the connection failed while ABS was asked: connection refused"},
		"proxy":             {"http://abs.invalid", proxied, "abs: forensics: abs.invalid:80 through proxy 127.0.0.1:1: the connection failed while ABS was asked: connection refused"},
		"proxy, TLS":        {"https://[::1]:8443", proxied, "abs: forensics: [::1]:8443 through proxy 127.0.0.1:1: the connection failed while ABS was asked: connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			c := config(test.url)
			c.Timeout = time.Minute
			if test.change != nil {
				test.change(&c)
			}
			_, err := mustClient(t, c).Forensics(context.Background(), hour, []byte(someToken))
			if err == nil || err.Error() != test.want {
				t.Errorf("%v, want %s", err, test.want)
			}
			checkQuiet(t, err)
		})
	}
}
