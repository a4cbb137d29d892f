package abs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/abs-exporter/abs-exporter/abs/admin"
	"github.com/abs-exporter/abs-exporter/abs/reports"
	"github.com/abs-exporter/abs-exporter/abs/tlsclient"
)

// Client sends requests to one ABS: GET and nothing else. It follows no redirect, and sends
// a request again only once, and only where a reused connection was closed before ABS answered: the
// caller decides on all other retries by Reason and RetryAfter. It is safe for concurrent use.
//
// The client logs nothing. But net/http prints unsolicited response bytes through the standard
// logger of package log, and they may echo a token: a program that uses Client has to discard the
// output of that logger.
type Client struct {
	config    Config
	urls      map[string]*url.URL // of each report, without query
	adminURLs [2]*url.URL         // of the admin report; the second is nil where the path is configured
	adminAt   atomic.Int32        // which of them ABS has
	transport http.RoundTripper
	limiter   *rate.Limiter
	slots     chan struct{} // holds one element for each running request
	readers   sync.Pool
	rotation  rotation
	warnings  []string
}

// NewClient checks the configuration, keys and certificates included, without a request to ABS. The
// error is a *ConfigError that names the field.
func NewClient(config Config) (*Client, error) {
	base, err := config.check()
	if err != nil {
		return nil, err
	}
	if base.Path == "" {
		base.Path = "/" // otherwise JoinPath makes a path without a slash, which no server accepts
	}
	c := &Client{
		config: config,
		urls: map[string]*url.URL{
			ReportTokens:     base.JoinPath("v4", "abs", "oauthtokens"),
			ReportForensics:  base.JoinPath("v4", "abs"),
			ReportAttackList: base.JoinPath("v4", "abs", "attacklist"),
			ReportAttack:     base.JoinPath("v4", "abs", "attack"),
		},
		adminURLs: [2]*url.URL{base.JoinPath("v5", "abs", "admin"), base.JoinPath("v4", "abs", "admin")},
		transport: config.Transport,
		limiter:   rate.NewLimiter(rate.Limit(config.Rate), 1),
		slots:     make(chan struct{}, config.Concurrency),
	}
	if config.AdminPath != "" {
		c.adminURLs = [2]*url.URL{base.JoinPath(config.AdminPath)}
	}
	c.readers.New = func() any {
		return &reading{Reader: reports.NewReader(reports.Options{Location: config.Location, URLs: config.URLs, IP: config.IP})}
	}
	if c.transport == nil {
		t, err := config.TLS.ClientConfig(base.Hostname())
		if wrong := (*tlsclient.FieldError)(nil); errors.As(err, &wrong) {
			return nil, tlsFieldError(wrong)
		}
		c.transport = newTransport(&c.config, t)
	}
	if base.Scheme == "http" {
		c.warnings = append(c.warnings, "ABS is asked over plain http: keys and tokens can be read by everyone on the way")
		if !config.TLS.IsZero() {
			c.warnings = append(c.warnings, "the TLS settings have no effect: the URL of ABS begins with http://")
		}
	} else if config.TLS.InsecureSkipVerify {
		c.warnings = append(c.warnings, "the certificate of ABS is not checked (insecure-skip-verify): whoever stands in for ABS gets keys and tokens; a fingerprint is as easy and safe")
	}
	return c, nil
}

// Warnings returns sentences for the log: about a configuration that works but should be changed.
func (c *Client) Warnings() []string { return slices.Clone(c.warnings) }

// Close closes idle connections. The client remains usable.
func (c *Client) Close() {
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Tokens reads the oauthtokens report of a window and calls row for each of its rows while the body
// arrives. A row is valid until row returns; an error of row stops the reading and is returned
// unchanged. On any error the caller must drop all rows of the call: they preceded the part of the
// body that was refused.
//
// The error is an *Error or the error of row. (ABS reference guide, "OAuth2 token metrics".)
func (c *Client) Tokens(ctx context.Context, w Window, row func(*Row) error) (Summary, error) {
	return request(ctx, c, ReportTokens, w, "", func(r *reading, body io.Reader, limit int64) (Summary, error) {
		sum, err := r.Tokens(body, limit, row)
		if err == nil {
			sum.Clock = r.exchange.Clock
			sum.OtherDates = c.otherDates(w, sum.Earlier, sum.Later)
			r.oddities = sum.Oddities
		}
		return sum, err
	})
}

// Forensics reads the report about one token, as a row of Tokens has it. Only the admin user is
// allowed to (ABS reference guide, "Token forensics"). The error is an *Error.
func (c *Client) Forensics(ctx context.Context, w Window, token []byte) (Forensics, error) {
	if len(token) == 0 {
		return Forensics{}, &Error{Report: ReportForensics, Reason: ReasonOther, detail: "no token to ask about"}
	}
	extra := "&token=" + escape(string(token))
	return request(ctx, c, ReportForensics, w, extra, func(r *reading, body io.Reader, limit int64) (Forensics, error) {
		f, err := r.Forensics(body, limit)
		if err == nil {
			f.OtherDates = c.otherDates(w, f.Earlier, f.Later)
			f.OtherToken = len(f.Metrics.Token) > 0 && !bytes.Equal(f.Metrics.Token, token)
			r.oddities = f.Oddities
		}
		return f, err
	})
}

// AttackList reads the list of clients that ABS flagged for attacks, and calls flagged for each
// token in it while the body arrives. The list may hold hundreds of thousands of tokens that never
// expire, in the window or not; the caller selects. Memory does not grow with the list. A token is
// valid until flagged returns; an error of flagged stops the reading and is returned unchanged.
//
// ABS's pages show only the groups of clients in this report, oauth_tokens among them (ABS
// reference guide, "Reporting active and expired client identifiers"). So it is read tolerantly:
// tokens are the members oauth_tokens and access_tokens at any depth, arrays of strings or of
// objects with access_token, token or oauth_token; null or nothing where there are none; all else
// is skipped. Refused, with an *Error, are an answer that is incomplete or not JSON, a message, and
// what is or seems another report; {} and [] are accepted. On an error the caller may keep the
// tokens received so far if Truncated, and drops them otherwise.
func (c *Client) AttackList(ctx context.Context, w Window, flagged func(token []byte) error) (AttackSummary, error) {
	return request(ctx, c, ReportAttackList, w, "", func(r *reading, body io.Reader, limit int64) (AttackSummary, error) {
		return r.AttackList(body, limit, flagged)
	})
}

// Attacks reads the attack report with all attack types: about one API, or, with api "", about
// attacks across APIs only. The restricted user is allowed to, too. It calls flagged as AttackList
// does, with the same tolerance and the same errors, and adds to each token the attack type and the
// API: of its own entry, or of the object that has the list, or of one around it. Where ABS writes
// those after the list, tokens wait for them, 1 MiB of them at most; beyond that they are passed on
// with "" for what is not known yet, so that memory stays bounded.
//
// (ABS reference guide, "Attack types REST API"; samples for one API and across APIs.)
func (c *Client) Attacks(ctx context.Context, w Window, api string, flagged func(FlaggedToken) error) (AttackSummary, error) {
	extra := "&type=0"
	if api != "" {
		extra = "&api=" + escape(api) + extra
	}
	return request(ctx, c, ReportAttack, w, extra, func(r *reading, body io.Reader, limit int64) (AttackSummary, error) {
		return r.Attacks(body, limit, flagged)
	})
}

// Admin reads the admin report: ABS's licence, APIs, nodes and time zone, as they are now. ABS 5
// has it at /v5/abs/admin, ABS 4 at /v4/abs/admin. Unless Config.AdminPath names a path, the path
// that worked last is requested first, and the other one if that is answered with 404. Both
// together count as one request.
//
// ABS's pages show this report in part (ABS reference guide, "Admin REST API"; samples of 4.4 and
// 5.2), so it is read tolerantly: a member that is missing or is not understood is absent in the
// result. An *Error is returned for an answer that is incomplete, not JSON, longer than 16 MiB, a
// message, or another report.
func (c *Client) Admin(ctx context.Context) (admin.Report, error) {
	return request(ctx, c, ReportAdmin, Window{}, "", func(r *reading, body io.Reader, limit int64) (admin.Report, error) {
		return r.Admin(body, limit)
	})
}

// readFunc reads the body of a report, of limit bytes at most.
type readFunc[T any] func(r *reading, body io.Reader, limit int64) (T, error)

// request sends one request when rate and concurrency allow, and reads its report. extra follows
// the dates in the query. On an error the report is the zero value.
func request[T any](ctx context.Context, c *Client, report string, w Window, extra string, read readFunc[T]) (T, error) {
	var result, none T
	err := c.send(ctx, report, w, extra, func(r *reading, body io.Reader, limit int64) (err error) {
		result, err = read(r, body, limit)
		return err
	})
	if err != nil {
		return none, err
	}
	return result, nil
}

func (c *Client) send(ctx context.Context, report string, w Window, extra string, read func(*reading, io.Reader, int64) error) error {
	query, err := c.query(report, w)
	if err != nil {
		return err
	}
	// Concurrency before rate: requests that the limiter has passed must not wait any more, or many
	// would start at once when others end.
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return contextError(ctx, report, "before the request was sent")
	}
	if err := c.limiter.Wait(ctx); err != nil {
		if ctx.Err() == nil { // the deadline would pass while waiting
			return &Error{
				Report: report, Reason: ReasonTimeout, cause: context.DeadlineExceeded,
				detail: "the deadline leaves no time to send the request at the rate that is configured",
			}
		}
		return contextError(ctx, report, "before the request was sent")
	}

	r := c.readers.Get().(*reading)
	start := c.config.Now()
	r.exchange = Exchange{}
	repeated, err := c.try(ctx, report, query+extra, r, read)
	if c.config.Observe != nil {
		call := Call{
			Report: report, Duration: c.config.Now().Sub(start), Bytes: r.Bytes(), Repeated: repeated, Err: err,
			Oddities: r.oddities, Exchange: r.exchange,
		}
		if shown := r.exchange.Certificates; len(shown) > 0 {
			call.CertificateExpires = shown[0].NotAfter
		}
		c.config.Observe(call)
	}
	r.exchange, r.oddities = Exchange{}, Oddities{}
	r.Reset()
	c.readers.Put(r)
	return err
}

// try sends a request to the URL of a report. The admin report has two URLs: if the one that worked
// last is answered with 404, the other is requested.
func (c *Client) try(
	ctx context.Context, report, query string, r *reading, read func(*reading, io.Reader, int64) error,
) (repeated bool, err error) {
	if report != ReportAdmin {
		return c.ask(ctx, report, c.urls[report], query, r, read)
	}
	at := c.adminAt.Load()
	repeated, err = c.ask(ctx, report, c.adminURLs[at], query, r, read)
	var e *Error
	other := c.adminURLs[1-at]
	if other == nil || !errors.As(err, &e) || e.Status != http.StatusNotFound || c.limiter.Wait(ctx) != nil {
		return repeated, err
	}
	repeated, err = c.ask(ctx, report, other, query, r, read)
	if err == nil {
		c.adminAt.Store(1 - at)
	}
	return repeated, err
}

// ask sends a request with the keys that are in the files. During a rotation they change there and
// in ABS at different times: if they are refused, those that were accepted last are sent once.
func (c *Client) ask(
	ctx context.Context, report string, target *url.URL, query string,
	r *reading, read func(*reading, io.Reader, int64) error,
) (repeated bool, err error) {
	present, err := c.credentials()
	if err != nil {
		return false, &Error{Report: report, Reason: ReasonAuth, cause: err, detail: err.Error() + "; the request was not sent"}
	}
	sent, other := c.rotation.order(present, c.config.Now())
	repeated, err = c.exchange(ctx, report, target, query, sent, r, read)
	if other != nil && refused(err) && c.limiter.Wait(ctx) == nil {
		c.rotation.refuse(sent, c.config.Now())
		sent = other
		repeated, err = c.exchange(ctx, report, target, query, sent, r, read)
	}
	switch {
	case err == nil:
		c.rotation.accept(sent)
		r.exchange.OldCredentials = !sameCredentials(sent, present)
	case refused(err):
		c.rotation.refuse(sent, c.config.Now())
	}
	return repeated, err
}

// refused reports whether ABS refused the keys of a request, or a gateway or a proxy before it what
// is theirs.
func refused(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Reason == ReasonAuth && e.Status != 0 || e.Status == http.StatusProxyAuthRequired || e.byProxy)
}

// exchange sends one request and reads its response within the timeout. repeated says that the
// request was sent twice.
func (c *Client) exchange(
	parent context.Context, report string, target *url.URL, query string, secrets *credentials,
	r *reading, read func(*reading, io.Reader, int64) error,
) (repeated bool, err error) {
	r.Reset()
	r.oddities = Oddities{}
	ctx, cancel := context.WithTimeout(parent, c.config.Timeout)
	defer cancel()
	ctx = context.WithValue(ctx, proxyPassword{}, secrets.proxyPassword)
	ctx, refuse := context.WithCancelCause(ctx)
	defer refuse(nil)
	req := (&http.Request{
		Method: http.MethodGet,
		URL:    &url.URL{Scheme: target.Scheme, Host: target.Host, Path: target.Path, RawPath: target.RawPath, RawQuery: query},
		Header: http.Header{"Accept": {"application/json"}, "User-Agent": {c.config.UserAgent}},
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	maps.Copy(req.Header, secrets.headers)

	// Not through http.Client: it follows redirects and puts the URL into its errors.
	r.exchange = Exchange{Requests: r.exchange.Requests + 1, Clock: Clock{Sent: c.config.Now()}}
	resp, repeated, err := c.roundTrip(req, refuse)
	if repeated {
		r.exchange.Requests++
	}
	r.exchange.Certificates = tlsclient.Certificates(resp, err)
	if err != nil {
		return repeated, c.transportError(parent, ctx, report, err, false)
	}
	defer resp.Body.Close() //nolint:errcheck // what was read counts
	// A server whose client hangs up may still answer, with anything, and net/http may hand that
	// over before it sees that the context has ended.
	if err := ctx.Err(); err != nil {
		return repeated, c.transportError(parent, ctx, report, err, false)
	}
	r.exchange.answered(resp, c.config.Now())
	if c.config.Tap != nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(resp.Body, c.config.Tap(report)), resp.Body}
	}
	if err := c.statusError(report, target, resp); err != nil {
		// A short body is read to its end, so that the connection can be used again.
		_, _ = io.CopyN(io.Discard, resp.Body, 16<<10)
		return repeated, err
	}
	text, err := decoded(report, resp)
	if err != nil {
		return repeated, err
	}
	body := &bodyReader{Reader: text}
	err = bodyError(read(r, body, 2*c.config.ResponseCap))
	cause := body.err
	if err == nil || err != cause { //nolint:errorlint // the very error of the body, not one like it
		var refusal *Error
		if ctx.Err() == nil || err != nil && !errors.As(err, &refusal) {
			return repeated, err
		}
		cause = ctx.Err() // the rest of the body is of a server whose client had hung up
	}
	failed := c.transportError(parent, ctx, report, cause, true)
	failed.Offset = r.Bytes()
	failed.Truncated = failed.Truncated && r.Begun()
	return repeated, failed
}

// reading is what an answer is read with, and what it shows.
type reading struct {
	*reports.Reader
	exchange Exchange
	oddities Oddities
}

// answered records what the head of a response shows.
func (e *Exchange) answered(resp *http.Response, now time.Time) {
	e.Status, e.Clock.Received = resp.StatusCode, now
	e.Clock.Date, _ = http.ParseTime(resp.Header.Get("Date")) // zero on an error
	if resp.TLS != nil {
		e.TLSVersion = resp.TLS.Version
	}
}

// bodyReader remembers the error that ended the body, to distinguish it from errors of callbacks.
type bodyReader struct {
	io.Reader
	err error
}

func (b *bodyReader) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// query returns the query of the URL: dates as ABS's pages write them, with an unescaped colon.
func (c *Client) query(report string, w Window) (string, error) {
	if report == ReportAdmin { // it is of now, not of a window
		return "", nil
	}
	from, to := w.From.In(c.config.Location), w.To.In(c.config.Location)
	bad := func(detail string) (string, error) {
		return "", &Error{Report: report, Reason: ReasonOther, detail: detail + "; the request was not sent"}
	}
	switch {
	case !to.After(from) && !c.config.AnyWindow:
		return bad("the window ends before it begins, or is empty")
	case from.Second() != 0 || from.Nanosecond() != 0 || to.Second() != 0 || to.Nanosecond() != 0:
		return bad("the window is not of full minutes, and ABS knows no seconds")
	case from.Year() < 1 || to.Year() > 9999:
		return bad("the window is not within the years 1 to 9999")
	}
	from, to = c.dates(w)
	return "later_date=" + to.Format(queryLayout) + "&earlier_date=" + from.Format(queryLayout), nil
}

// dates returns earlier_date and later_date of a request.
func (c *Client) dates(w Window) (earlier, later time.Time) {
	if c.config.WindowEnd == Inclusive {
		w.To = w.To.Add(-time.Minute)
	}
	return w.From.In(c.config.Location), w.To.In(c.config.Location)
}

// otherDates reports whether the dates of a report are not those that were requested.
func (c *Client) otherDates(w Window, earlier, later time.Time) bool {
	other := func(reported, requested time.Time) bool {
		return !reported.IsZero() && reported.Format(queryLayout) != requested.Format(queryLayout)
	}
	from, to := c.dates(w)
	return other(earlier, from) || other(later, to)
}

// escape encodes any text as a value of the query.
func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
