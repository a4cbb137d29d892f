package abs

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Client asks one ABS. It sends GET and nothing else, follows no redirect, and never asks
// twice for one call: who retries decides so by Reason and RetryAfter. It can be used by
// many goroutines at once.
//
// The client logs nothing. But net/http prints bytes that follow an answer uncalled-for
// through the standard logger of package log, and they may echo a token: a program that
// uses Client has to discard what that logger gets.
type Client struct {
	config    Config
	urls      map[string]*url.URL // of each report, without query
	transport http.RoundTripper
	limiter   *rate.Limiter
	slots     chan struct{}
	readers   sync.Pool
	warnings  []string
}

// NewClient checks the configuration, keys and certificates included, without asking ABS.
// The error is a *ConfigError that names the field.
func NewClient(config Config) (*Client, error) {
	base, err := config.check()
	if err != nil {
		return nil, err
	}
	if base.Path == "" {
		base.Path = "/" // JoinPath makes a path without a slash otherwise, which no server takes
	}
	c := &Client{
		config: config,
		urls: map[string]*url.URL{
			ReportTokens:     base.JoinPath("v4", "abs", "oauthtokens"),
			ReportForensics:  base.JoinPath("v4", "abs"),
			ReportAttackList: base.JoinPath("v4", "abs", "attacklist"),
			ReportAttack:     base.JoinPath("v4", "abs", "attack"),
		},
		transport: config.Transport,
		limiter:   rate.NewLimiter(rate.Limit(config.Rate), 1),
		slots:     make(chan struct{}, config.Concurrency),
	}
	c.readers.New = func() any { return &rowReader{scanner: *newScanner()} }
	if c.transport == nil {
		t, err := config.TLS.clientConfig(base.Hostname())
		if err != nil {
			return nil, err
		}
		c.transport = newTransport(&c.config, t)
	}
	if base.Scheme == "http" {
		c.warnings = append(c.warnings, "ABS is asked over plain http: keys and tokens can be read by everyone on the way")
		if config.TLS != (TLSConfig{}) {
			c.warnings = append(c.warnings, "the TLS settings have no effect: the URL of ABS begins with http://")
		}
	} else if config.TLS.InsecureSkipVerify {
		c.warnings = append(c.warnings, "the certificate of ABS is not checked (insecure-skip-verify): whoever stands in for ABS gets keys and tokens; a fingerprint is as easy and safe")
	}
	return c, nil
}

// Warnings are sentences for the log: what works but should not stay so.
func (c *Client) Warnings() []string { return append([]string(nil), c.warnings...) }

// Close closes connections that wait for the next request. The client stays usable.
func (c *Client) Close() {
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Tokens reads the oauthtokens report of a window and hands out its rows one by one, while
// the body arrives. A row is good until row returns; an error of row stops the reading and
// is returned as it is. On any error the caller must drop all rows of the call: the part of
// the body that was refused came behind them.
//
// The error is an *Error or the error of row. (ABS reference guide, "OAuth2 token metrics".)
func (c *Client) Tokens(ctx context.Context, w Window, row func(*Row) error) (Summary, error) {
	var sum Summary
	err := c.ask(ctx, ReportTokens, w, "", func(r *rowReader, body io.Reader, limit int64) (err error) {
		sum, err = r.readTokens(body, limit, c.config.Location, row)
		return err
	})
	if err != nil {
		return Summary{}, err
	}
	return sum, nil
}

// Forensics reads the report about one token, as it stood in a row of Tokens. The admin
// user alone may (ABS reference guide, "Token forensics"). The error is an *Error.
func (c *Client) Forensics(ctx context.Context, w Window, token []byte) (Forensics, error) {
	if len(token) == 0 {
		return Forensics{}, &Error{Report: ReportForensics, Reason: ReasonOther, detail: "no token to ask about"}
	}
	var f Forensics
	err := c.ask(ctx, ReportForensics, w, "&token="+escape(string(token)), func(r *rowReader, body io.Reader, limit int64) (err error) {
		f, err = r.readForensics(body, limit, c.config.Location)
		return err
	})
	if err != nil {
		return Forensics{}, err
	}
	return f, nil
}

// AttackList reads the list of clients that ABS found to attack, and hands out its tokens
// one by one while the body arrives. The list may hold hundreds of thousands that never
// expire, within the window or not: what is new and worth asking about, the caller knows.
// Memory does not grow with it. A token is good until hint returns; an error of hint stops
// the reading and is returned as it is.
//
// The pages show of this report no more than the groups of clients, oauth_tokens among
// them (ABS reference guide, "Reporting active and expired client identifiers"). So it is
// read tolerantly: tokens are the members oauth_tokens and access_tokens at any depth,
// arrays of strings or of objects with access_token, token or oauth_token; null or nothing
// where there are none; all else is skipped. Refused, with an *Error, are an answer that is
// not whole or not JSON, a message, and what is or seems another report; {} and [] are fine.
// On an error the caller may keep hints it was handed if Truncated, and drops them otherwise.
func (c *Client) AttackList(ctx context.Context, w Window, flagged func(token []byte) error) (AttackSummary, error) {
	var sum AttackSummary
	err := c.ask(ctx, ReportAttackList, w, "", func(r *rowReader, body io.Reader, limit int64) (err error) {
		sum, err = r.readAttackList(body, limit, flagged)
		return err
	})
	if err != nil {
		return AttackSummary{}, err
	}
	return sum, nil
}

// Attacks reads the attack report with all attack types, about one API, or, with api "",
// about attacks across APIs only; the restricted user may as well. It hands out tokens as
// AttackList does, with the same tolerance and the same errors, and with each the attack
// type and the API: of its own entry, or of the object that has the list, or of one around
// it. Where ABS writes those behind the list, tokens wait for them, 1 MiB of them at most;
// past that they come with "" for what is not known yet, so that memory stays bounded.
//
// (ABS reference guide, "Attack types REST API"; samples for one API and across APIs.)
func (c *Client) Attacks(ctx context.Context, w Window, api string, flagged func(FlaggedToken) error) (AttackSummary, error) {
	extra := "&type=0"
	if api != "" {
		extra = "&api=" + escape(api) + extra
	}
	var sum AttackSummary
	err := c.ask(ctx, ReportAttack, w, extra, func(r *rowReader, body io.Reader, limit int64) (err error) {
		sum, err = r.readAttacks(body, limit, flagged)
		return err
	})
	if err != nil {
		return AttackSummary{}, err
	}
	return sum, nil
}

// ask sends one request when rate and concurrency allow, and has the body read. extra
// follows the dates in the query.
func (c *Client) ask(ctx context.Context, report string, w Window, extra string, read func(*rowReader, io.Reader, int64) error) error {
	query, err := c.query(report, w)
	if err != nil {
		return err
	}
	// The slot first: a request that the rate has let pass must not wait any more, or many
	// would start at once when slots come free.
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

	r := c.readers.Get().(*rowReader)
	start := c.config.Now()
	err = c.exchange(ctx, report, query+extra, r, read)
	if c.config.Observe != nil {
		c.config.Observe(Call{Report: report, Duration: c.config.Now().Sub(start), Bytes: r.read(), Err: err})
	}
	r.release()
	c.readers.Put(r)
	return err
}

// exchange is one request and its answer within the timeout.
func (c *Client) exchange(parent context.Context, report, query string, r *rowReader, read func(*rowReader, io.Reader, int64) error) error {
	r.reset(http.NoBody, 0, report)
	ctx, cancel := context.WithTimeout(parent, c.config.Timeout)
	defer cancel()
	access, secret, err := c.config.Keys.Keys()
	if err != nil {
		return &Error{Report: report, Reason: ReasonAuth, cause: err, detail: err.Error() + "; the request was not sent"}
	}
	target := c.urls[report]
	req := (&http.Request{
		Method: http.MethodGet,
		URL:    &url.URL{Scheme: target.Scheme, Host: target.Host, Path: target.Path, RawPath: target.RawPath, RawQuery: query},
		Header: http.Header{"Accept": {"application/json"}, "User-Agent": {c.config.UserAgent}},
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	accessName, secretName := c.config.User.headers()
	req.Header.Set(accessName, access)
	req.Header.Set(secretName, secret)

	// Not through http.Client: it follows redirects and puts the URL into its errors.
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return c.transportError(parent, ctx, report, err, false)
	}
	defer resp.Body.Close() //nolint:errcheck // what was read counts
	if err := c.statusError(report, resp); err != nil {
		// A short body is read to its end, so that the connection can be used again.
		_, _ = io.CopyN(io.Discard, resp.Body, 16<<10)
		return err
	}
	body := &bodyReader{Reader: resp.Body}
	err = read(r, body, 2*c.config.ResponseCap)
	var cut *Error
	switch {
	case err == nil:
	case err == body.err: //nolint:errorlint // the very error of the body, not one like it
		failed := c.transportError(parent, ctx, report, err, true)
		failed.Offset = r.read()
		return failed
	case ctx.Err() != nil && errors.As(err, &cut) && cut.Truncated:
		// Whoever is hung up on may still end the body properly.
		failed := c.transportError(parent, ctx, report, ctx.Err(), true)
		failed.Offset = r.read()
		return failed
	}
	return err
}

// bodyReader remembers what the body ended with, to tell its errors from those of row.
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

// query is the query of the URL: dates as ABS's pages write them, with a bare colon.
func (c *Client) query(report string, w Window) (string, error) {
	from, to := w.From.In(c.config.Location), w.To.In(c.config.Location)
	bad := func(detail string) (string, error) {
		return "", &Error{Report: report, Reason: ReasonOther, detail: detail + "; the request was not sent"}
	}
	switch {
	case !to.After(from):
		return bad("the window ends before it begins, or is empty")
	case from.Second() != 0 || from.Nanosecond() != 0 || to.Second() != 0 || to.Nanosecond() != 0:
		return bad("the window is not one of whole minutes, and ABS knows no seconds")
	case from.Year() < 1 || to.Year() > 9999:
		return bad("the window is not within the years 1 to 9999")
	}
	if c.config.WindowEnd == Inclusive {
		to = to.Add(-time.Minute)
	}
	return "later_date=" + to.Format(queryLayout) + "&earlier_date=" + from.Format(queryLayout), nil
}

// escape makes a text a value of the query, whatever is in it.
func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
