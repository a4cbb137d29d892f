package abs

import (
	"cmp"
	"crypto/x509"
	"io"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/jsonscan"
	"github.com/abs-exporter/abs-exporter/abs/tlsclient"
)

// User selects one of ABS's two users. The restricted one gets obfuscated tokens and no forensics
// (ABS reference guide, "ABS users for API reports").
type User int

// The users, and with them the header pairs x-abs-ak, x-abs-sk and x-abs-ak-ru, x-abs-sk-ru.
const (
	Admin User = iota
	Restricted
)

// headers returns the names of the two headers that carry the keys.
func (u User) headers() (access, secret string) {
	if u == Restricted {
		return "x-abs-ak-ru", "x-abs-sk-ru"
	}
	return "x-abs-ak", "x-abs-sk"
}

// WindowEnd says whether the minute of later_date is in the window. ABS's pages do not say.
type WindowEnd int

// Exclusive: the minute of later_date is not in the window, and Window.To is sent unchanged.
// Inclusive: it is in the window, and the minute before Window.To is sent.
const (
	Exclusive WindowEnd = iota
	Inclusive
)

// WindowEndOf returns the setting that two adjoining settled windows show: difference is by how
// many requests their sum is above that of the window that they make up, requested with the setting
// set. explained is false for a difference that no setting explains.
func WindowEndOf(difference int64, set WindowEnd) (should WindowEnd, explained bool) {
	switch {
	case difference == 0:
		return set, true
	case difference > 0 && set == Exclusive:
		return Inclusive, true
	case difference < 0 && set == Inclusive:
		return Exclusive, true
	}
	return set, false
}

// Defaults of Config, for fields that are zero.
const (
	DefaultTimeout     = 60 * time.Second
	DefaultRate        = 20.0
	DefaultConcurrency = 8
	DefaultResponseCap = 100_000_000 // ABS's default of response_size
)

// Config is the configuration of a Client. Fields that are zero get their default; URL and Keys are
// required.
type Config struct {
	// URL is the base, such as https://abs.example.com:8080; it may have a path, but no user, query
	// or fragment.
	URL  string
	User User
	Keys Keys
	// Location is the time zone of ABS's wall clock; nil is UTC.
	Location  *time.Location
	WindowEnd WindowEnd
	// AdminPath is the path of the admin report below URL. "" stands for /v5/abs/admin, or
	// /v4/abs/admin where ABS answers 404 to the former.
	AdminPath string
	// Timeout bounds one request: connecting, waiting and reading, the callbacks included, but not
	// the wait for Rate and Concurrency.
	Timeout time.Duration
	// Rate bounds requests a second, without bursts, and Concurrency requests at once, of all
	// reports together.
	Rate        float64
	Concurrency int
	// ResponseCap is ABS's response_size in bytes. A body longer than twice that, after content
	// decoding, is refused with ReasonSize.
	ResponseCap int64
	// URLs, unless nil: rows have their URLs, by the names that it appends to dst. It is called with
	// the token of the row, or without one, and then again with the name that it returned, which it
	// must return as it is but for the token.
	URLs func(dst, url, token []byte) []byte
	// IP: rows have the counts of this address only, but for Row.Requests, and none where it is not in
	// the row. The zero value: of all addresses.
	IP        netip.Addr
	TLS       TLSConfig
	Proxy     Proxy
	Gateway   Gateway
	UserAgent string
	// Transport replaces the client's own, and with it TLS, unless it is nil.
	Transport http.RoundTripper
	// AnyWindow: windows that are empty or end before they begin are requested too. The command check
	// asks how ABS answers them.
	AnyWindow bool
	// Tap, unless nil, is called for every response. What is read of its body, of an error's too, is
	// also written to the returned writer, as it is read; an error of the writer ends the reading.
	Tap func(report string) io.Writer
	// Observe, unless nil, is called at the end of every request, failed or not, in the goroutine
	// of the request. A call that ended while it waited for Rate and Concurrency was no request.
	Observe func(Call)
	// Now is the clock for Call.Duration and for Retry-After dates; nil is time.Now.
	Now func() time.Time
}

// Call is one request that has ended.
type Call struct {
	Report   string // one of the reports
	Duration time.Duration
	Bytes    int64 // of the body, as far as it was read, after content decoding
	Repeated bool  // it was sent twice: the first time on a connection that was closed under it
	Err      error // as returned to the caller
	Oddities       // of a report that was read
	// CertificateExpires is the expiry of the certificate that ABS presented, trusted or not; zero
	// without one.
	CertificateExpires time.Time
	Exchange
}

// Exchange is what the last response of a call shows besides its report.
type Exchange struct {
	Requests int   // that were sent: repeats, and the other path of the admin report, included
	Status   int   // 0 without a response
	Clock    Clock // its Received is zero without a response
	// OldCredentials: the keys, or what the gateway asks for, were refused as the files have them, and
	// accepted as the files had them before.
	OldCredentials bool
	Certificates   []*x509.Certificate // the chain that ABS presented, trusted or not
	TLSVersion     uint16              // as crypto/tls has it; 0 without TLS, or if the certificate was refused
}

// ConfigError says which field of Config is wrong and why, without values that may be secret.
type ConfigError struct {
	Field  string // such as "URL" or "TLS.CAFile"
	Detail string // names no field
	Other  string // the field that Detail ends with, or ""
}

// Error names the fields.
func (e *ConfigError) Error() string {
	return strings.TrimSuffix("abs: "+e.Field+": "+e.Detail+" "+e.Other, " ")
}

// tlsFieldError returns the error for a field of Config.TLS.
func tlsFieldError(e *tlsclient.FieldError) *ConfigError {
	wrong := &ConfigError{Field: "TLS." + e.Field, Detail: e.Detail}
	if e.Other != "" {
		wrong.Other = "TLS." + e.Other
	}
	return wrong
}

func validPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0
}

// check sets the defaults and returns the base URL.
func (c *Config) check() (*url.URL, error) {
	bad := func(field, detail string) (*url.URL, error) { return nil, &ConfigError{Field: field, Detail: detail} }
	base, err := url.Parse(c.URL)
	switch {
	case c.URL == "":
		return bad("URL", "is missing; it looks like https://abs.example.com:8080")
	case err != nil:
		// The text of err repeats the URL, which may hold a password.
		return bad("URL", "is not a URL; it looks like https://abs.example.com:8080")
	case base.Scheme != "https" && base.Scheme != "http":
		return bad("URL", "must begin with https:// or http://")
	case base.Hostname() == "":
		return bad("URL", "names no host")
	case strings.HasSuffix(base.Host, ":") || base.Port() != "" && !validPort(base.Port()):
		return bad("URL", "has no port from 1 to 65535 after its colon")
	case base.User != nil:
		return bad("URL", "holds a user; ABS knows keys only, and they stand elsewhere")
	case base.RawQuery != "" || base.ForceQuery || base.Fragment != "":
		return bad("URL", "has a query or a fragment; only the base is wanted")
	case c.User != Admin && c.User != Restricted:
		return bad("User", "must be Admin or Restricted")
	case c.WindowEnd != Exclusive && c.WindowEnd != Inclusive:
		return bad("WindowEnd", "must be Exclusive or Inclusive")
	case c.AdminPath != "" && (!strings.HasPrefix(c.AdminPath, "/") || strings.ContainsAny(c.AdminPath, "?#% ")):
		return bad("AdminPath", "must be a plain path that begins with /, such as /v5/abs/admin")
	case c.Timeout < 0:
		return bad("Timeout", "must not be negative")
	case c.Rate < 0 || math.IsNaN(c.Rate) || math.IsInf(c.Rate, 1):
		return bad("Rate", "must be a number of requests a second, above 0")
	case c.Concurrency < 0:
		return bad("Concurrency", "must not be negative")
	case c.ResponseCap < 0 || c.ResponseCap > jsonscan.MaxCount:
		return bad("ResponseCap", "must be between 0 and 2^53 bytes")
	case c.Keys == nil:
		return bad("Keys", "are missing; ABS answers nobody without")
	}
	if _, _, err := c.Keys.Keys(); err != nil {
		return bad("Keys", err.Error())
	}
	if field, detail := c.Proxy.check(); field != "" {
		return bad(field, detail)
	}
	if field, detail := c.Gateway.check(); field != "" {
		return bad(field, detail)
	}
	c.Location = cmp.Or(c.Location, time.UTC)
	c.Timeout = cmp.Or(c.Timeout, DefaultTimeout)
	c.Rate = cmp.Or(c.Rate, DefaultRate)
	c.Concurrency = cmp.Or(c.Concurrency, DefaultConcurrency)
	c.ResponseCap = cmp.Or(c.ResponseCap, DefaultResponseCap)
	c.UserAgent = cmp.Or(c.UserAgent, "abs-exporter")
	if c.Now == nil {
		c.Now = time.Now
	}
	return base, nil
}
