package check

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
)

// bundle is what --report writes: one JSON, so that whoever sends it can read it first. Nothing in
// it is a value that ABS sent or a setting that names something: it has shapes, sizes, statuses,
// and times relative to the call.
type bundle struct {
	Format  int            `json:"format"`
	Program string         `json:"program"`
	System  string         `json:"system"`
	Collect bundleTimes    `json:"collect"`
	Targets []bundleTarget `json:"targets"`
}

type bundleTimes struct {
	Interval string `json:"interval"`
	Slot     string `json:"slot"`
	Settle   string `json:"settle"`
	Window   string `json:"window"`
}

type bundleTarget struct {
	User        string             `json:"user"`
	Scheme      string             `json:"scheme"`
	WindowEnd   string             `json:"window_end"`
	UTCOffset   string             `json:"utc_offset"`
	Answers     []bundleAnswer     `json:"answers"`
	Certificate *bundleCertificate `json:"certificate,omitempty"`
	Calls       []bundleCall       `json:"calls"`
}

type bundleAnswer struct {
	ID    string   `json:"id"`
	State State    `json:"state"`
	Set   []string `json:"set"` // flags without their values
}

type bundleCertificate struct {
	SelfSigned bool   `json:"self_signed"`
	Chain      int    `json:"chain"`
	Names      int    `json:"names"`
	Signature  string `json:"signature"`
	Key        string `json:"key"`
	DaysLeft   int    `json:"days_left"`
	TLS        string `json:"tls,omitempty"`
}

type bundleCall struct {
	Question     string `json:"question"`
	Report       string `json:"report"`
	Window       string `json:"window,omitempty"`
	EndsBefore   string `json:"ends_before,omitempty"` // the call; negative: after it
	Status       int    `json:"status"`
	Reason       string `json:"reason,omitempty"` // of a failure, as metrics have it
	Error        string `json:"error,omitempty"`
	Field        string `json:"field,omitempty"`
	Truncated    bool   `json:"truncated,omitempty"`
	Milliseconds int64  `json:"milliseconds"`
	Bytes        int64  `json:"bytes"`
	Requests     int    `json:"requests"`
	SkewSeconds  *int   `json:"skew_seconds,omitempty"`
	OtherDates   bool   `json:"other_dates,omitempty"`
	RowsSkipped  int64  `json:"rows_skipped,omitempty"`
	Proxy        bool   `json:"proxy,omitempty"`
	Shape        *shape `json:"shape,omitempty"`
	Cut          bool   `json:"shape_cut,omitempty"`
}

// writeBundle writes the bundle into a file that must not exist.
func writeBundle(path, program string, s *config.Settings, results []*Result) error {
	b := bundle{
		Format: 1, Program: program, System: runtime.GOOS + "/" + runtime.GOARCH,
		Collect: bundleTimes{length(s.Collect.Interval), length(s.Collect.Slot), length(s.Collect.Settle), length(s.Collect.Window)},
	}
	for i, r := range results {
		b.Targets = append(b.Targets, bundleOf(r, &s.Targets[i]))
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	out := json.NewEncoder(f)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return errors.Join(out.Encode(b), f.Close())
}

func bundleOf(r *Result, t *config.Target) bundleTarget {
	out := bundleTarget{User: t.User, WindowEnd: t.WindowEnd}
	if u, err := url.Parse(t.URL); err == nil {
		out.Scheme = u.Scheme
	}
	for i := range r.Answers {
		a := bundleAnswer{ID: r.Answers[i].ID, State: r.Answers[i].State, Set: []string{}}
		for _, s := range r.Answers[i].Set {
			a.Set = append(a.Set, s.Flag)
		}
		out.Answers = append(out.Answers, a)
	}
	for i := range r.exchanges {
		e := &r.exchanges[i]
		if i == 0 {
			out.UTCOffset = e.at.In(t.Location).Format("-07:00")
			out.Certificate = certificateOf(e)
		}
		out.Calls = append(out.Calls, callOf(e))
	}
	return out
}

func certificateOf(e *exchange) *bundleCertificate {
	chain := e.call.Certificates
	if len(chain) == 0 {
		return nil
	}
	c := chain[0]
	b := &bundleCertificate{
		SelfSigned: bytes.Equal(c.RawSubject, c.RawIssuer), Chain: len(chain), Names: len(c.DNSNames) + len(c.IPAddresses),
		Signature: c.SignatureAlgorithm.String(), Key: keyOf(c), DaysLeft: int(c.NotAfter.Sub(e.at).Hours() / 24),
	}
	if e.call.TLSVersion != 0 {
		b.TLS = tls.VersionName(e.call.TLSVersion)
	}
	return b
}

func keyOf(c *x509.Certificate) string {
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return "RSA " + strconv.Itoa(k.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + strconv.Itoa(k.Curve.Params().BitSize)
	default:
		return c.PublicKeyAlgorithm.String()
	}
}

func callOf(e *exchange) bundleCall {
	c := &e.call
	b := bundleCall{
		Question: e.question, Report: c.Report, Status: c.Status, Milliseconds: c.Duration.Milliseconds(), Bytes: e.size,
		Requests: c.Requests, OtherDates: c.OtherDates, RowsSkipped: c.Skipped.Rows(), Proxy: e.proxy, Shape: e.shape,
	}
	if e.window != (abs.Window{}) {
		b.Window, b.EndsBefore = length(e.window.To.Sub(e.window.From)), length(e.at.Sub(e.window.To).Truncate(time.Minute))
	}
	if e.shape != nil {
		b.Cut = e.shape.cut
	}
	if skew, _, ok := c.Clock.Skew(); ok {
		seconds := int(skew.Seconds())
		b.SkewSeconds = &seconds
	}
	var failed *abs.Error
	if errors.As(c.Err, &failed) {
		b.Reason, b.Field, b.Truncated = string(failed.Reason), failed.Field, failed.Truncated
		if failed.Reason == abs.ReasonDecode || failed.Reason == abs.ReasonSize { // others may name files or hosts
			b.Error = failed.Detail()
		}
	}
	return b
}
