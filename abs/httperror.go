package abs

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/tlsclient"
)

// contextError returns the error of a call that its caller cancelled or whose deadline passed.
func contextError(ctx context.Context, report, when string) *Error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &Error{Report: report, Reason: ReasonTimeout, cause: context.DeadlineExceeded, detail: "the deadline passed " + when}
	}
	return &Error{Report: report, Reason: ReasonOther, cause: context.Canceled, detail: "cancelled " + when}
}

// statusError returns the error of a status other than 2xx, and nil otherwise. It names the path
// that was requested, without the query. The text of the answer is not in it: it may echo the URL.
func (c *Client) statusError(report string, target *url.URL, resp *http.Response) error {
	status := resp.StatusCode
	if status >= 200 && status <= 299 {
		return nil
	}
	e := &Error{
		Report: report, Reason: ReasonStatus, Status: status, Place: target.EscapedPath(),
		RetryAfter: retryAfter(resp.Header.Get("Retry-After"), c.config.Now()),
	}
	name := strconv.Itoa(status)
	if text := http.StatusText(status); text != "" {
		name += " " + text
	}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		e.Reason = ReasonAuth
		e.detail = "ABS refused the keys, or what their user may not read: " + name
	case status == http.StatusProxyAuthRequired:
		e.detail = "a proxy answered " + name + " in place of ABS; give its user and password (--abs.proxy-url and --abs.proxy-password-file, or HTTP_PROXY), or name ABS in NO_PROXY"
	case status == http.StatusRequestEntityTooLarge:
		e.Reason = ReasonSize
		e.detail = "ABS answered " + name
	case status >= 300 && status <= 399:
		e.detail = "ABS answered " + name + "; redirects are not followed, since they would carry keys elsewhere"
	default:
		e.detail = "ABS answered " + name
		if status == http.StatusBadRequest && target.Scheme == "http" {
			e.detail += tlsPort(resp.Body)
		}
	}
	if e.RetryAfter > 0 {
		e.detail += ", and asks to wait " + e.RetryAfter.String()
	}
	return e
}

// tlsPort returns what a 400 to plain http may mean: that is how servers answer on a port for TLS,
// and most of them say so.
func tlsPort(body io.Reader) string {
	begin := make([]byte, 4<<10)
	n, _ := io.ReadFull(body, begin) // an error is that of a shorter text
	text := strings.ToLower(string(begin[:n]))
	for _, word := range []string{"https", "ssl", "tls"} {
		if strings.Contains(text, word) {
			return ": this is a TLS port, so the URL begins with https://"
		}
	}
	return "; if this is a TLS port, the URL begins with https://"
}

// place returns the host and port that a request was for, and through which proxy it went. A
// proxy's password is not in it.
func (c *Client) place() string {
	target := c.urls[ReportTokens] // all reports are of one host
	port := target.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[target.Scheme]
	}
	place := net.JoinHostPort(target.Hostname(), port)
	if proxy := c.Proxy(); proxy != "" {
		place += " through proxy " + proxy
	}
	return place
}

// Proxy returns host and port of the proxy that requests go through; "" without one. A proxy's
// password is not in it.
func (c *Client) Proxy() string {
	if t, ok := c.transport.(*http.Transport); ok && t.Proxy != nil {
		if proxy, err := t.Proxy(&http.Request{URL: c.urls[ReportTokens]}); err == nil && proxy != nil {
			return proxy.Host
		}
	}
	return ""
}

// retryAfter parses both forms of the header, seconds and a date; 0 if absent, past or unreadable.
func retryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second // #nosec G115 -- 31 bits
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

// transportError classifies a failure of the connection. Only harmless parts of err's text are
// kept: net/http quotes URLs, and bytes of answers that may echo them. inBody is true if the answer
// had begun.
func (c *Client) transportError(parent, ctx context.Context, report string, err error, inBody bool) *Error {
	when := "while ABS was asked"
	if inBody {
		when = "while the answer was read"
	}
	if parent.Err() != nil {
		return contextError(parent, report, when)
	}
	if errors.Is(context.Cause(ctx), errConnectionTwice) {
		return &Error{
			Report: report, Reason: ReasonConnection,
			detail: "the connection ended without an answer, and the transport would have sent the request again",
		}
	}
	var timeout net.Error
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout() {
		detail := "no answer within "
		if inBody {
			detail = "no complete answer within "
		}
		return &Error{
			Report: report, Reason: ReasonTimeout, cause: context.DeadlineExceeded,
			Place: c.place(), detail: detail + c.config.Timeout.String(),
		}
	}
	e := &Error{Report: report, Reason: ReasonConnection, Truncated: inBody, Place: c.place(), byProxy: tlsclient.RefusedByProxy(err)}
	var number syscall.Errno
	switch {
	case errors.Is(err, context.Canceled):
		e.Reason, e.cause, e.detail = ReasonOther, context.Canceled, "cancelled "+when
	case errors.As(err, &number):
		e.cause, e.detail = number, "the connection failed "+when+": "+number.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.detail = "ABS closed the connection without an answer"
	case inBody && corrupt(err):
		e.Reason, e.Truncated, e.detail = ReasonDecode, false, "the compressed body is damaged"
	default:
		e.detail = connectionText(err)
		if e.detail == "" {
			e.detail = "the connection failed " + when
		}
	}
	return e
}

// connectionText says why no connection was made, and nothing if that is not what happened.
func connectionText(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	var record tls.RecordHeaderError
	text := tlsclient.Explain(err)
	switch {
	case text != "":
		return text
	case errors.As(err, &dns) && dns.IsNotFound:
		return "the host of ABS is not known to the name server"
	case errors.As(err, &dns):
		return "the host of ABS cannot be resolved"
	case errors.As(err, &op) && op.Op == "remote error" && strings.HasPrefix(op.Err.Error(), "tls: "):
		return "ABS ended the TLS handshake: " + strings.TrimPrefix(op.Err.Error(), "tls: ")
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "ABS does not speak TLS on this port; is its URL meant to begin with http://?"
	case strings.Contains(err.Error(), "malformed HTTP"):
		return "what answers is no HTTP server; is the URL meant to begin with https://?"
	}
	return ""
}

// corrupt reports whether err is of a body that cannot be decompressed.
func corrupt(err error) bool {
	var damaged flate.CorruptInputError
	return errors.As(err, &damaged) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader)
}
