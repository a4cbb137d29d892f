package abs

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	ok      = "HTTP/1.1 200 OK\r\n"
	inParts = ok + "Transfer-Encoding: chunked\r\n\r\n"
	packed  = ok + "Content-Encoding: gzip\r\n"
)

// chunk returns a text as one chunk of a body.
func chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

// deflated returns a text compressed with gzip, and what change makes of the writer before.
func deflated(text string, change func(*gzip.Writer)) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if change != nil {
		change(w)
	}
	_, _ = io.WriteString(w, text) // a buffer takes everything
	_ = w.Close()
	return b.String()
}

// ABS, or what is in its place, breaks the rules of HTTP/1.1 in every way known: each has its
// reason, costs bounded time and memory, is one request, and spoils nothing for the next call.
func TestHTTP1Faults(t *testing.T) {
	log.SetOutput(io.Discard) // net/http prints what comes unsolicited, which cmd/abs-exporter discards
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	elsewhere, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	go func() {
		if c, err := elsewhere.Accept(); err == nil {
			t.Errorf("%v was connected to, which only a redirect named", c.LocalAddr())
			_ = c.Close()
		}
	}()
	var all []wireFault
	for _, some := range [][]wireFault{
		statusLines(), statuses(), redirects(elsewhere.Addr().String()), headers(), lengths(), chunks(), codings(), bodies(), silences(), ends(),
	} {
		all = append(all, some...)
	}
	t.Run("faults", func(t *testing.T) { // which ends once all have ended
		tryWireFaults(t, all)
	})
	if len(all) < 194 {
		t.Errorf("there are %d cases only", len(all))
	}
}

func statusLines() (all []wireFault) {
	for _, line := range []string{
		"", " ", "\r\n", "cAnArY", "HTTP", "HTTP/", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1\t200\tOK", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK",
		"HTTP/1.1 2x0 OK", "HTTP/1.1 -200 OK", "HTTP/1.1 0x1 OK", "HTTP/1.1 ٢٠٠ OK", "HTTP/1 200 OK", "HTTP/1.1.1 200 OK", "HTTP/x.y 200 OK",
		"HTTP/-1.1 200 OK", "http/1.1 200 OK", "HTTPS/1.1 200 OK", "ICY 200 OK", "RTSP/1.0 200 OK", "SIP/2.0 200 OK", "HTTP/1.1 200OK", "\x00HTTP/1.1 200 OK",
		"\ufeffHTTP/1.1 200 OK", "GET / HTTP/1.1", "220 mail ESMTP cAnArY", "SSH-2.0-OpenSSH_9.6", "\x15\x03\x01\x00\x02\x02\x46", "<html>cAnArY</html>", "ECHO",
	} {
		all = append(all, wireFault{name: "status line " + strconv.Quote(line), do: sends(whole(line+"\r\n", wireReport)), want: ReasonConnection})
	}
	return append(all,
		wireFault{"status line without a reason", sends(whole("HTTP/1.1 200\r\n", wireReport)), "", false},
		wireFault{"status line with two blanks", sends(whole("HTTP/1.1  200 OK\r\n", wireReport)), "", false},
		wireFault{"status line whose reason is the request", sends(whole("HTTP/1.1 200 ECHO\r\n", wireReport)), "", false},
		wireFault{"status line that ends without CR", sends(whole("HTTP/1.1 200 OK\n", wireReport)), "", false},
		wireFault{"status line of HTTP/1.0", sends(whole("HTTP/1.0 200 OK\r\n", wireReport)), "", false},
		wireFault{"status line of HTTP/0.9", sends(wireReport), ReasonConnection, false},
		wireFault{"status line of a megabyte", sends(whole("HTTP/1.1 200 "+strings.Repeat("x", 1<<20)+"\r\n", wireReport)), ReasonConnection, false},
		wireFault{"status line without end", then("HTTP/1.1 200 ", func(w *wire) { w.endless("cAnArY") }), ReasonConnection, false},
		wireFault{"blank lines without end", func(w *wire) { w.endless("\r\n") }, ReasonConnection, false},
		wireFault{"zeros without end", func(w *wire) { w.endless("\x00") }, ReasonConnection, false},
	)
}

func statuses() (all []wireFault) {
	for code := 100; code < 600; code++ {
		want := ReasonStatus
		switch {
		case code == http.StatusUnauthorized, code == http.StatusForbidden:
			want = ReasonAuth
		case code == http.StatusRequestEntityTooLarge:
			want = ReasonSize
		case code == http.StatusNoContent: // has no body, whatever follows
			want = ReasonDecode
		case code == http.StatusSwitchingProtocols, code > 101 && http.StatusText(code) == "":
			continue // tried below; and what has no name says nothing new
		case code < 200:
			want = ReasonConnection // no response follows
		case code < 300:
			want = ""
		}
		all = append(all, wireFault{name: "status " + strconv.Itoa(code), do: sends(whole(fmt.Sprintf("HTTP/1.1 %d ECHO\r\n", code), wireReport)), want: want})
	}
	return append(all,
		wireFault{"status 000", sends(whole("HTTP/1.1 000 OK\r\n", wireReport)), ReasonStatus, false},
		wireFault{"status +20", sends(whole("HTTP/1.1 +20 OK\r\n", wireReport)), ReasonStatus, false},
		wireFault{"status 099", sends(whole("HTTP/1.1 099 OK\r\n", wireReport)), ReasonStatus, false},
		wireFault{"status 299", sends(whole("HTTP/1.1 299 OK\r\n", wireReport)), "", false},
		wireFault{"status 499 of a proxy", sends(whole("HTTP/1.1 499 ECHO\r\n", wireReport)), ReasonStatus, false},
		wireFault{"status 530 of a proxy", sends(whole("HTTP/1.1 530 ECHO\r\n", wireReport)), ReasonStatus, false},
		wireFault{"status 600", sends(whole("HTTP/1.1 600 OK\r\n", wireReport)), ReasonStatus, false},
		wireFault{"status 999", sends(whole("HTTP/1.1 999 OK\r\n", wireReport)), ReasonStatus, false},
		wireFault{"status 101 and another protocol", then("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: cAnArY\r\n\r\n", func(w *wire) { w.endless("cAnArY") }), ReasonStatus, false},
		wireFault{"status 100 and nothing more", then("HTTP/1.1 100 Continue\r\n\r\n", (*wire).silent), ReasonTimeout, true},
		wireFault{"status 100 without end", func(w *wire) { w.endless("HTTP/1.1 100 Continue\r\n\r\n") }, ReasonConnection, false},
		wireFault{"status 103 with 200 hints", sends(strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </cAnArY>\r\n\r\n", 200) + whole(ok, wireReport)), "", false},
		wireFault{"an error whose body has no end", then("HTTP/1.1 500 No\r\nContent-Length: 99999999999\r\n\r\n", func(w *wire) { w.endless("ECHO") }), ReasonStatus, false},
		wireFault{"an error in endless parts", then("HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n", func(w *wire) { w.endless(chunk("cAnArY")) }), ReasonStatus, false},
		wireFault{"an error whose body never comes", then("HTTP/1.1 502 No\r\nContent-Length: 10\r\n\r\n", (*wire).silent), ReasonStatus, true},
		wireFault{"an error as a bomb", sends(whole("HTTP/1.1 500 No\r\nContent-Encoding: gzip\r\n", deflated(strings.Repeat("x", 10<<20), nil))), ReasonStatus, false},
	)
}

// redirects returns answers that lead elsewhere, to a place that must never be asked.
func redirects(elsewhere string) (all []wireFault) {
	for _, to := range []string{
		"http://" + elsewhere + "/ECHO", "https://" + elsewhere + "/", "//" + elsewhere + "/", "http://user:password@" + elsewhere, "HTTP://" + elsewhere,
		"/elsewhere", "elsewhere", "?x=y", "", "file:///etc/passwd", "javascript:alert(1)", "http://[::1", "http://%zz", "\x00", strings.Repeat("x", 60_000),
	} {
		all = append(all, wireFault{name: "redirect to " + strconv.Quote(to[:min(len(to), 30)]), do: sends("HTTP/1.1 302 Found\r\nLocation: " + to + "\r\nContent-Length: 0\r\n\r\n"), want: ReasonStatus})
	}
	all[13].want = ReasonConnection // a NUL in a header
	for _, head := range []string{"Location", "Content-Location", "Refresh", "Link", "Alt-Svc", "X-Accel-Redirect"} {
		text := map[string]string{"Refresh": "0; url=http://" + elsewhere, "Link": "<http://" + elsewhere + ">; rel=preload", "Alt-Svc": `h2="` + elsewhere + `"; ma=86400`}[head]
		if text == "" {
			text = "http://" + elsewhere
		}
		all = append(all, wireFault{name: "200 with " + head, do: sends(whole(ok+head+": "+text+"\r\n", wireReport)), want: ""})
	}
	return append(all,
		wireFault{"two places to go to", sends("HTTP/1.1 307 No\r\nLocation: http://" + elsewhere + "/1\r\nLocation: http://" + elsewhere + "/2\r\nContent-Length: 0\r\n\r\n"), ReasonStatus, false},
		wireFault{"a redirect with a report", sends(whole("HTTP/1.1 303 No\r\nLocation: http://"+elsewhere+"\r\n", wireReport)), ReasonStatus, false},
		wireFault{"305, use a proxy", sends("HTTP/1.1 305 Use Proxy\r\nLocation: http://" + elsewhere + "\r\nContent-Length: 0\r\n\r\n"), ReasonStatus, false},
		wireFault{"407 without a proxy", sends("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"ECHO\"\r\nContent-Length: 0\r\n\r\n"), ReasonStatus, false},
	)
}

func headers() (all []wireFault) {
	for _, line := range []string{
		"cAnArY", ": cAnArY", "X\x00: y", "X: y\x00z", "Xé: y", " X: y", "X(: y", "X: y\r z", "ECHO",
	} {
		all = append(all, wireFault{name: "header " + strconv.Quote(line), do: sends(whole(ok+line+"\r\n", wireReport)), want: ReasonConnection})
	}
	for _, line := range []string{
		"X:", "X Y: z", "X : y", "X: \xff\xfe", "X:\tcAnArY\t", "X: ECHO", "X: y\r\n z", "X: {}\r\nX: {}", "Set-Cookie: session=cAnArY; Path=/", "Trailer: X", "Date: cAnArY", "Date: Thu, 01 Jan 99999 00:00:00 GMT",
		"Content-Type: \x80", "Content-Type: ;;;", "Content-Type: text/html", "Content-Type: application/json; charset=\"", "Content-Encoding:", "Content-Encoding: identity, identity",
		"Connection: close", "Connection: keep-alive, close, ECHO", "Keep-Alive: timeout=0, max=0", "Upgrade: h2c", "Strict-Transport-Security: max-age=99999999999", "Retry-After: 5", "Age: -1",
		"Accept-Ranges: bytes\r\nContent-Range: bytes 0-1/2", "X: " + strings.Repeat("y", 60_000),
	} {
		all = append(all, wireFault{name: "header that does no harm " + strconv.Quote(line[:min(len(line), 60)]), do: sends(whole(ok+line+"\r\n", wireReport)), want: ""})
	}
	for _, after := range []string{"-1", "1e9", "99999999999999999999", "NaN", "ECHO", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "\xff", " 7 ", "5, 6"} {
		all = append(all, wireFault{name: "Retry-After " + strconv.Quote(after), do: sends("HTTP/1.1 429 No\r\nRetry-After: " + after + "\r\nContent-Length: 0\r\n\r\n"), want: ReasonStatus})
	}
	return append(all,
		wireFault{"10,000 headers", sends(whole(ok+strings.Repeat("X: y\r\n", 10_000), wireReport)), "", false},
		wireFault{"headers of 200 kB", sends(whole(ok+"X: "+strings.Repeat("y", 200_000)+"\r\n", wireReport)), ReasonConnection, false},
		wireFault{"headers without end", then(ok, func(w *wire) { w.endless("X: cAnArY\r\n") }), ReasonConnection, false},
		wireFault{"a header without end", then(ok+"X: ", func(w *wire) { w.endless("cAnArY") }), ReasonConnection, false},
		wireFault{"a header's name without end", then(ok, func(w *wire) { w.endless("X") }), ReasonConnection, false},
		wireFault{"a folded header without end", then(ok+"X: y\r\n", func(w *wire) { w.endless(" z\r\n") }), ReasonConnection, false},
		wireFault{"headers that end without CR", sends(ok + "X: y\nContent-Length: " + strconv.Itoa(len(wireReport)) + "\n\n" + wireReport), "", false},
		wireFault{"headers only", sends(ok + "X: y\r\n"), ReasonConnection, false},
	)
}

func lengths() (all []wireFault) {
	n := strconv.Itoa(len(wireReport))
	for _, length := range []string{"", " ", "x", "ECHO", "-1", "+" + n, "0x" + n, n + ".0", n + "e0", n + "," + n, n + ", " + "9", n + " " + n, "99999999999999999999", "١", n + "\x0b"} {
		want := ReasonConnection
		all = append(all, wireFault{name: "length " + strconv.Quote(length), do: sends(ok + "Content-Length: " + length + "\r\n\r\n" + wireReport), want: want})
	}
	return append(all,
		wireFault{"two lengths that differ", sends(ok + "Content-Length: 5\r\nContent-Length: " + n + "\r\n\r\n" + wireReport), ReasonConnection, false},
		wireFault{"two lengths that are equal", sends(ok + "Content-Length: " + n + "\r\nContent-Length: " + n + "\r\n\r\n" + wireReport), "", false},
		wireFault{"a length with a leading zero", sends(ok + "Content-Length: 0" + n + "\r\n\r\n" + wireReport), "", false},
		wireFault{"length and parts", sends(ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(wireReport) + "0\r\n\r\n"), "", false},
		wireFault{"length 0", sends(ok + "Content-Length: 0\r\n\r\n" + wireReport), ReasonDecode, false},
		wireFault{"a length that is short by one", sends(ok + "Content-Length: " + strconv.Itoa(len(wireReport)-1) + "\r\n\r\n" + wireReport), ReasonDecode, false},
		wireFault{"a length that is one too long", sends(ok + "Content-Length: " + strconv.Itoa(len(wireReport)+1) + "\r\n\r\n" + wireReport), ReasonDecode, false},
		wireFault{"a length of 2^63-1", sends(ok + "Content-Length: 9223372036854775807\r\n\r\n" + wireReport), ReasonDecode, false},
		wireFault{"no length", sends(ok + "\r\n" + wireReport), "", false},
		wireFault{"no length, and cut", sends(ok + "\r\n" + wireReport[:50]), ReasonDecode, false},
		wireFault{"a second response", sends(whole(ok, wireReport) + whole(ok, strings.Replace(wireReport, "7", "9", 2))), "", false},
		wireFault{"a second response to no request", sends(whole(ok, wireReport) + "cAnArY ECHO"), "", false},
		wireFault{"a report behind a report", sends(whole(ok, wireReport+wireReport)), ReasonDecode, false},
	)
}

func chunks() (all []wireFault) {
	n := strconv.FormatInt(int64(len(wireReport)), 16)
	for _, size := range []string{"", " ", "x", "-1", "+" + n, "0x" + n, n + "h", "FFFFFFFFFFFFFFFFF", "ECHO", n + "\x00"} {
		all = append(all, wireFault{name: "part of size " + strconv.Quote(size), do: sends(inParts + size + "\r\n" + wireReport + "\r\n0\r\n\r\n"), want: ReasonConnection})
	}
	for _, coding := range []string{"gzip", "chunked, chunked", "chunked, gzip", "identity", "xchunked", "chunked\x0b", "\"chunked\"", "ECHO", "chunked;q=1", ""} {
		all = append(all, wireFault{name: "transfer encoding " + strconv.Quote(coding), do: sends(ok + "Transfer-Encoding: " + coding + "\r\n\r\n" + chunk(wireReport) + "0\r\n\r\n"), want: ReasonConnection})
	}
	one := ""
	for _, c := range []byte(wireReport) {
		one += chunk(string(c))
	}
	return append(all,
		wireFault{"parts", sends(inParts + chunk(wireReport) + "0\r\n\r\n"), "", false},
		wireFault{"parts of a byte", sends(inParts + one + "0\r\n\r\n"), "", false},
		wireFault{"part sizes with leading zeros", sends(inParts + "0000" + chunk(wireReport) + "0000\r\n\r\n"), "", false},
		wireFault{"part sizes in capitals, with an extension", sends(inParts + strings.ToUpper(n) + ";a=\"b\"\r\n" + wireReport + "\r\n0;x\r\n\r\n"), "", false},
		wireFault{"parts with a trailer", sends(inParts + chunk(wireReport) + "0\r\nX: ECHO\r\n\r\n"), "", false},
		wireFault{"a part of 2^64-1", sends(inParts + "ffffffffffffffff\r\n" + wireReport + "\r\n0\r\n\r\n"), ReasonDecode, false},
		wireFault{"a part without its end", sends(inParts + n + "\r\n" + wireReport + "0\r\n\r\n"), ReasonConnection, false},
		wireFault{"a part that ends without CR", sends(inParts + n + "\r\n" + wireReport + "\n0\r\n\r\n"), ReasonConnection, false},
		wireFault{"a part that is longer than its size", sends(inParts + "5\r\n" + wireReport + "\r\n0\r\n\r\n"), ReasonConnection, false},
		wireFault{"a part that is shorter than its size", sends(inParts + "fff\r\n" + wireReport + "\r\n0\r\n\r\n"), ReasonDecode, false},
		wireFault{"parts without the last", sends(inParts + chunk(wireReport)), ReasonDecode, false},
		wireFault{"parts whose last has no end", sends(inParts + chunk(wireReport) + "0\r\n"), ReasonConnection, false},
		wireFault{"parts with a report behind the last", sends(inParts + chunk(wireReport) + "0\r\n\r\n" + chunk(wireReport)), "", false},
		wireFault{"an empty first part", sends(inParts + "0\r\n\r\n" + chunk(wireReport)), ReasonDecode, false},
		wireFault{"a trailer that is none", sends(inParts + chunk(wireReport) + "0\r\ncAnArY\r\n\r\n"), ReasonConnection, false},
		wireFault{"a trailer without end", then(inParts+chunk(wireReport)+"0\r\n", func(w *wire) { w.endless("X: cAnArY\r\n") }), ReasonConnection, false},
		wireFault{"a trailer of one line without end", then(inParts+chunk(wireReport)+"0\r\nX: ", func(w *wire) { w.endless("cAnArY") }), ReasonConnection, false},
		wireFault{"a part's size without end", then(inParts, func(w *wire) { w.endless("0") }), ReasonConnection, false},
		wireFault{"a part's extension without end", then(inParts+"5;x=", func(w *wire) { w.endless("cAnArY") }), ReasonConnection, false},
		wireFault{"parts of a blank without end", then(inParts, func(w *wire) { w.endless(chunk(" ")) }), ReasonSize, false},
		wireFault{"parts of a kilobyte without end", then(inParts, func(w *wire) { w.endless(chunk(strings.Repeat(" ", 1000))) }), ReasonSize, false},
	)
}

func codings() (all []wireFault) {
	small, large := deflated(wireReport, nil), deflated(wireReport+strings.Repeat(" ", 150_000), nil)
	for _, coding := range []string{"br", "deflate", "zstd", "compress", "x-gzip", "gzip, gzip", "gzip, identity", "aes128gcm", "cAnArY", "*", "gzip;q=0"} {
		all = append(all, wireFault{name: "content encoding " + coding, do: sends(whole(ok+"Content-Encoding: "+coding+"\r\n", small)), want: ReasonDecode})
	}
	var raw, zipped bytes.Buffer
	f, _ := flate.NewWriter(&raw, 9)
	z := zlib.NewWriter(&zipped)
	for _, w := range []io.WriteCloser{f, z} {
		_, _ = io.WriteString(w, wireReport) // a buffer takes everything
		_ = w.Close()
	}
	bomb := func(begin, middle, end string, size int) string {
		var b bytes.Buffer
		w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
		_, _ = io.WriteString(w, begin)
		for range size / len(middle) {
			_, _ = io.WriteString(w, middle)
		}
		_, _ = io.WriteString(w, end)
		_ = w.Close()
		return b.String()
	}
	blanks := strings.Repeat(" ", 64<<10)
	twice := deflated(small, nil)
	wrong := func(at int) string {
		b := []byte(small)
		b[len(b)+at] ^= 0x40
		return string(b)
	}
	return append(all,
		wireFault{"gzip", sends(whole(packed, small)), "", false},
		wireFault{"gzip in capitals", sends(whole(ok+"Content-Encoding: GZIP\r\n", small)), "", false},
		wireFault{"gzip with a name, a comment and a field", sends(whole(packed, deflated(wireReport, func(w *gzip.Writer) {
			w.Name, w.Comment, w.Extra = "canary", "comment", make([]byte, 60_000)
		}))), "", false},
		wireFault{"gzip in two members", sends(whole(packed, deflated(wireReport[:40], nil)+deflated(wireReport[40:], nil))), "", false},
		wireFault{"gzip that nobody named", sends(whole(ok, small)), ReasonDecode, false},
		wireFault{"gzip of gzip", sends(whole(packed, twice)), ReasonDecode, false},
		wireFault{"text that is named gzip", sends(whole(packed, wireReport)), ReasonDecode, false},
		wireFault{"nothing that is named gzip", sends(whole(packed, "")), ReasonDecode, false},
		wireFault{"raw deflate that is named gzip", sends(whole(packed, raw.String())), ReasonDecode, false},
		wireFault{"zlib that is named gzip", sends(whole(packed, zipped.String())), ReasonDecode, false},
		wireFault{"gzip with a wrong checksum", sends(whole(packed, wrong(-8))), ReasonDecode, false},
		wireFault{"gzip with a wrong size", sends(whole(packed, wrong(-4))), ReasonDecode, false},
		wireFault{"gzip with a wrong bit", sends(whole(packed, wrong(-30))), ReasonDecode, false},
		wireFault{"gzip without its checksum", sends(whole(packed, small[:len(small)-8])), ReasonDecode, false},
		wireFault{"gzip without its last byte", sends(whole(packed, small[:len(small)-1])), ReasonDecode, false},
		wireFault{"gzip cut in its header", sends(whole(packed, small[:6])), ReasonDecode, false},
		wireFault{"gzip and garbage", sends(whole(packed, small+"cAnArY")), ReasonDecode, false},
		wireFault{"gzip and zeros", sends(whole(packed, small+strings.Repeat("\x00", 512))), ReasonDecode, false},
		wireFault{"gzip of another method", sends(whole(packed, "\x1f\x8b\x07"+small[3:])), ReasonDecode, false},
		wireFault{"gzip with a name without end", then(packed+"\r\n\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x00", func(w *wire) { w.endless("cAnArY") }), ReasonDecode, false},
		wireFault{"gzip in endless empty members", then(packed+"\r\n", func(w *wire) {
			for w.send(strings.Repeat(deflated("", nil), 100)) {
				time.Sleep(time.Second)
			}
		}), ReasonTimeout, true},
		wireFault{"gzip with blanks within the limit", sends(whole(packed, large)), "", false},
		wireFault{"a bomb of blanks before the report", sends(whole(packed, bomb("", blanks, wireReport, 50<<20))), ReasonSize, false},
		wireFault{"a bomb of blanks behind the report", sends(whole(packed, bomb(wireReport, blanks, "", 5<<20))), ReasonSize, false},
		wireFault{"a bomb of brackets", sends(whole(packed, bomb(`{"x":`, strings.Repeat("[", 64<<10), "", 5<<20))), ReasonDecode, false},
		wireFault{"a bomb of one string", sends(whole(packed, bomb(`{"x":"`, strings.Repeat("y", 64<<10), "", 5<<20))), ReasonSize, false},
		wireFault{"a bomb of one token", sends(whole(packed, bomb(tokensBegin+`{"token":"`, strings.Repeat("y", 64<<10), "", 5<<20))), ReasonSize, false},
		wireFault{"a bomb of one member's name", sends(whole(packed, bomb(`{"`, strings.Repeat("y", 64<<10), "", 5<<20))), ReasonSize, false},
		wireFault{"a bomb of one number", sends(whole(packed, bomb(`{"x":`, strings.Repeat("9", 64<<10), "", 5<<20))), ReasonSize, false},
		wireFault{"a bomb of rows", sends(whole(packed, bomb(tokensBegin, `{"token":"cAnArY","total_requests":1},`, "", 5<<20))), ReasonSize, false},
	)
}

func bodies() (all []wireFault) {
	for name, body := range map[string]string{
		"web page": "<!DOCTYPE html><title>cAnArY</title>", "XML": "<?xml version='1.0'?><cAnArY/>", "YAML": "name: cAnArY", "number": "7", "string": `"cAnArY"`, "array": "[" + wireReport + "]",
		"true": "true", "null": "null", "NaN": "NaN", "lines of JSON": `{"a":1}` + "\n" + wireReport, "JSON with a comment": "/* cAnArY */" + wireReport, "JSON in single quotes": strings.ReplaceAll(wireReport, `"`, `'`),
		"JSON with a comma too many": strings.TrimSuffix(wireReport, "}") + ",}", "protection against hijacking": ")]}',\n" + wireReport, "JSONP": "cAnArY(" + wireReport + ")", "UTF-16 with a mark": "\xff\xfe{\x00}\x00",
		"UTF-16 without": "{\x00\"\x00n\x00", "UTF-32": "\x00\x00\xfe\xff\x00\x00\x00{", "zeros": strings.Repeat("\x00", 1000), "a picture": "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "a zip file": "PK\x03\x04cAnArY",
		"a message": `{"message":"cAnArY"}`, "another report": strings.Replace(wireReport, "oauth_token_metrics", "api_abs_token", 1), "a report without a name": strings.Replace(wireReport, named+",", "", 1),
		"a name twice": `{` + named + `,` + wireReport[1:], "rows twice": strings.TrimSuffix(wireReport, "}") + `,"details":[]}`, "a summary twice": `{"summary":{"tokens":1,"total_requests":7},` + wireReport[1:],
		"64 levels": `{"x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + "," + wireReport[1:],
	} {
		all = append(all, wireFault{name: "a body that is " + name, do: sends(whole(ok+"Content-Type: application/json\r\n", body)), want: ReasonDecode})
	}
	return append(all,
		wireFault{"a body behind blanks", sends(whole(ok, strings.Repeat("\r\n", 50_000)+wireReport)), "", false},
		wireFault{"a body in ISO-8859-1", sends(whole(ok+"Content-Type: application/json;charset=ISO-8859-1\r\n", strings.Replace(wireReport, "{", "{\"\xe9\":\"\xff\",", 1))), "", false},
		wireFault{"a body of blanks without end", then(ok+"\r\n", func(w *wire) { w.endless(" ") }), ReasonSize, false},
		wireFault{"a report with blanks without end", then(ok+"\r\n"+wireReport, func(w *wire) { w.endless(" ") }), ReasonSize, false},
		wireFault{"a row without end", then(ok+"\r\n"+tokensBegin+`{"token":"`, func(w *wire) { w.endless("cAnArY") }), ReasonSize, false},
		wireFault{"rows without end", then(ok+"\r\n"+tokensBegin, func(w *wire) { w.endless(`{"token":"cAnArY","total_requests":1},`) }), ReasonSize, false},
	)
}

func silences() (all []wireFault) {
	return []wireFault{
		{"silence", (*wire).silent, ReasonTimeout, true},
		{"silence in the status line", then("HTTP/1.1 2", (*wire).silent), ReasonTimeout, true},
		{"silence before the headers", then(ok, (*wire).silent), ReasonTimeout, true},
		{"silence in a header", then(ok+"Content-Ty", (*wire).silent), ReasonTimeout, true},
		{"silence before the body", then(ok+"Content-Length: 100\r\n\r\n", (*wire).silent), ReasonTimeout, true},
		{"silence in the body", then(ok+"Content-Length: 100\r\n\r\n"+wireReport[:40], (*wire).silent), ReasonTimeout, true},
		{"silence before the last part", then(inParts+chunk(wireReport), (*wire).silent), ReasonTimeout, true},
		{"silence in a part's size", then(inParts+"4", (*wire).silent), ReasonTimeout, true},
		{"silence in gzip", then(packed+"\r\n"+deflated(wireReport, nil)[:30], (*wire).silent), ReasonTimeout, true},
		{"silence behind a report without a length", then(ok+"\r\n"+wireReport, (*wire).silent), ReasonTimeout, true},
		{"a status line byte by byte", func(w *wire) { w.trickle("HTTP/1.1 200 cAnArY") }, ReasonTimeout, true},
		{"headers byte by byte", func(w *wire) { w.trickle(ok + "X: cAnArY") }, ReasonTimeout, true},
		{"a body byte by byte", then(ok+"\r\n", func(w *wire) { w.trickle(`{"x":"cAnArY`) }), ReasonTimeout, true},
		{"blanks byte by byte", then(ok+"\r\n", func(w *wire) { w.trickle(" ") }), ReasonTimeout, true},
		{"a part's size byte by byte", then(inParts, func(w *wire) { w.trickle("0") }), ReasonTimeout, true},
		{"a trailer byte by byte", then(inParts+chunk(wireReport)+"0\r\n", func(w *wire) { w.trickle("X: cAnArY") }), ReasonTimeout, true},
		{"gzip byte by byte", then(packed+"\r\n", func(w *wire) { w.trickle("\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x00cAnArY") }), ReasonTimeout, true},
	}
}

func ends() (all []wireFault) {
	finish := func(w *wire) { _ = w.Conn.(*net.TCPConn).CloseWrite(); w.silent() }
	return []wireFault{
		{"the end without an answer", func(*wire) {}, ReasonConnection, false},
		{"a reset without an answer", (*wire).reset, ReasonConnection, false},
		{"the end of one direction without an answer", finish, ReasonConnection, false},
		{"a reset in the status line", then("HTTP/1.1 2", (*wire).reset), ReasonConnection, false},
		{"a reset in the headers", then(ok+"Content-", (*wire).reset), ReasonConnection, false},
		{"the end of one direction in the headers", then(ok+"Content-", finish), ReasonConnection, false},
		{"the end of one direction in the body", then(ok+"Content-Length: 100\r\n\r\n"+wireReport[:40], finish), ReasonDecode, false},
		{"the end of one direction behind the report", then(whole(ok, wireReport), finish), "", false},
		{"the end in a row", sends(ok + "Content-Length: 100\r\n\r\n" + wireReport[:90]), ReasonDecode, false},
		{"the end of HTTP/1.0 in a row", sends("HTTP/1.0 200 OK\r\n\r\n" + wireReport[:90]), ReasonDecode, false},
	}
}
