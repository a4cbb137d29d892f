package simulator

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// endpoints are the reports by their paths. The admin report has moved between
// versions, and is at both.
var endpoints = map[string]string{
	"/v4/abs/oauthtokens":  "oauthtokens",
	"/v4/abs":              "forensics",
	"/v4/abs/attacklist":   "attacklist",
	"/v4/abs/attack":       "attack",
	"/v4/abs/attackstatus": "attackstatus",
	"/v5/abs/admin":        "admin",
	"/v4/abs/admin":        "admin",
}

func endpointNames() []string {
	var names []string
	for _, n := range endpoints {
		names = append(names, n)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Handler serves ABS's reports, and beside them, under /simulator/, what no ABS has:
//
//	GET        /simulator/truth?from=RFC3339&to=RFC3339[&at=RFC3339][&tokens=false]   Totals
//	GET        /simulator/attacks[?from=RFC3339&to=RFC3339]   attacks that overlap this time, default now
//	GET        /simulator/stats                               Stats
//	GET        /simulator/faults                              the faults that are set
//	PUT        /simulator/faults                              sets faults: a JSON array of Fault
//	DELETE     /simulator/faults                              takes all away
//
// These ask for no keys: all that they tell is made up.
//
// Status codes and bodies of errors are not published (facts 4). Here a wrong key is a
// 401, a restricted one where it isn't allowed a 403, a wrong date a 400, each with a
// body that holds a message and a date.
func (s *Simulator) Handler() http.Handler {
	mux := http.NewServeMux()
	s.control(mux)
	mux.HandleFunc("/", s.serve)
	return mux
}

func (s *Simulator) serve(w http.ResponseWriter, r *http.Request) {
	report, known := endpoints[r.URL.Path]
	if !known {
		report = "other"
	}
	query, queryErr := url.ParseQuery(r.URL.RawQuery)
	call := &Call{
		Time: time.Now(), At: s.cfg.Now(), Method: r.Method,
		Earlier: query.Get("earlier_date"), Later: query.Get("later_date"), Token: query.Get("token"),
		report: report,
	}
	if call.Token != "" && report != "forensics" {
		call.Token = ""
	}
	user := s.user(r.Header)
	call.Restricted = user == userRestricted
	s.stats.begin(call)
	out := &answer{ResponseWriter: w}
	out.done = sync.OnceFunc(func() { s.stats.end(call, out.status) })
	defer out.done()

	switch {
	case !known:
		s.fail(out, http.StatusNotFound, "no such report")
		return
	case r.Method != http.MethodGet:
		out.Header().Set("Allow", http.MethodGet)
		s.fail(out, http.StatusMethodNotAllowed, "only GET is simulated")
		return
	case s.cfg.URLLimit > 0 && len(r.URL.RequestURI()) > s.cfg.URLLimit:
		s.fail(out, http.StatusRequestURITooLong, "the URL is too long")
		return
	}
	wait, fault := s.hit(report, call.At)
	if wait > 0 && !sleep(r.Context(), wait) {
		tear(out)
	}
	if fault != nil && !s.faulty(out, r, report, fault) {
		return
	}
	switch {
	case user == userNone:
		s.fail(out, http.StatusUnauthorized, "access key or secret key is wrong")
		return
	case user == userRestricted && report == "forensics":
		s.fail(out, http.StatusForbidden, "the restricted user can not access this report")
		return
	case queryErr != nil:
		s.fail(out, http.StatusBadRequest, "the query can not be read")
		return
	}
	body, err := s.body(r.Context(), report, query, s.cfg.Now(), user == userRestricted)
	if err != nil {
		s.fail(out, http.StatusBadRequest, err.Error())
		return
	}
	s.deliver(out, r, body, fault)
}

// body is what writes the answer to a call. It may be asked to write it twice.
func (s *Simulator) body(ctx context.Context, report string, query url.Values, at time.Time, restricted bool) (func(io.Writer) error, error) {
	switch report {
	case "admin":
		return func(w io.Writer) error { return s.writeAdmin(w, at) }, nil
	case "attackstatus":
		return func(w io.Writer) error { return s.writeAttackStatus(w, at) }, nil
	}
	for _, name := range []string{"earlier_date", "later_date"} {
		if len(query[name]) != 1 {
			return nil, fmt.Errorf("%s is expected once", name)
		}
	}
	q, err := s.question(query.Get("earlier_date"), query.Get("later_date"), at)
	if err != nil {
		return nil, err
	}
	q.restricted = restricted
	switch report {
	case "oauthtokens":
		if s.cfg.CapKind == CapRows {
			q.row = s.cfg.ResponseCap
		}
		return func(w io.Writer) error { return s.writeTokens(ctx, w, q) }, nil
	case "forensics":
		if len(query["token"]) != 1 || query.Get("token") == "" {
			return nil, errors.New("only forensics of a token is simulated")
		}
		return func(w io.Writer) error { return s.writeForensics(w, q, query.Get("token")) }, nil
	case "attacklist":
		status := query.Get("status")
		if status != "" && status != "active" && status != "expired" {
			return nil, errors.New("status is expected to be active or expired")
		}
		return func(w io.Writer) error { return s.writeAttackList(w, q, status) }, nil
	}
	kind, err := strconv.Atoi(query.Get("type"))
	if err != nil || kind < 0 {
		return nil, errors.New("type is expected as a number")
	}
	return func(w io.Writer) error { return s.writeAttack(w, q, kind, query.Get("api")) }, nil
}

type user int

const (
	userNone user = iota
	userAdmin
	userRestricted
)

func (s *Simulator) user(h http.Header) user {
	same := func(got, want string) bool { return subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1 }
	switch c := &s.cfg; {
	case same(h.Get("X-Abs-Ak"), c.AccessKey) && same(h.Get("X-Abs-Sk"), c.SecretKey):
		return userAdmin
	case same(h.Get("X-Abs-Ak-Ru"), c.RestrictedAccessKey) && same(h.Get("X-Abs-Sk-Ru"), c.RestrictedSecretKey):
		return userRestricted
	}
	return userNone
}

// answer remembers the status.
type answer struct {
	http.ResponseWriter
	status int
	done   func() // the call is no longer in flight
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController flush and hijack.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// flush sends what was written so far. A connection that can't be flushed shows itself
// at the next write.
func (a *answer) flush() { _ = http.NewResponseController(a).Flush() }

func (s *Simulator) fail(w *answer, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The client may be gone; nobody else is to be told.
	_ = writeJSON(w, map[string]string{"message": message, "date": wallOf(s.cfg.Now(), s.cfg.Location).String()})
}

// sleep waits in the time of the network. It tells whether the caller still waits too.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// tear ends the connection so that the client sees it, and doesn't return.
func tear(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // so that closing resets; if it doesn't, it is still closed
		}
		_ = conn.Close() // nobody to be told
	}
	panic(http.ErrAbortHandler) // the way to end a connection that can't be hijacked
}

// faulty lets a call go wrong. It tells whether the call goes on to be answered.
func (s *Simulator) faulty(w *answer, r *http.Request, report string, f *Fault) bool {
	page := func(contentType, body string) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(http.StatusOK)
		// The client may be gone.
		_, _ = io.WriteString(w, body) //nolint:gosec // what it echoes is escaped; the rest is the tester's own
	}
	switch f.Kind {
	case FaultStatus:
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		s.fail(w, f.Code, "simulated fault")
	case FaultHTML:
		page("text/html", "<!DOCTYPE html>\n<html><head><title>Sign on</title></head><body>"+
			"<form action=\"/login\">"+html(r.URL.RawQuery)+"</form></body></html>\n")
	case FaultGarbage:
		page("application/json", "{\n \"company\": \"ping identity\",\n \"name\": \"oauth_token_metrics\",\n \"summary\": }\x00\xff]{")
	case FaultBody:
		page("application/json", f.Body)
	case FaultWrongReport:
		other := "admin"
		if report == "admin" {
			other = "attackstatus"
		}
		if body, err := s.body(r.Context(), other, nil, s.cfg.Now(), false); err == nil {
			s.deliver(w, r, body, nil)
		}
	case FaultReset:
		tear(w)
	case FaultHang:
		d := f.Delay
		if d <= 0 {
			d = math.MaxInt64
		}
		sleep(r.Context(), d)
		tear(w)
	default:
		return true
	}
	return false
}

// html is a query as a careless page would echo it: what a client must not log.
func html(query string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(query)
}

// errFull ends the writing of a body that is cut.
var errFull = errors.New("the body is cut here")

// limiter passes on so many bytes and then asks what to do: go on without a limit, or
// end with an error.
type limiter struct {
	w    io.Writer
	left int64
	then func() error
}

func (l *limiter) Write(b []byte) (int, error) {
	if l.then == nil || int64(len(b)) <= l.left {
		n, err := l.w.Write(b)
		l.left -= int64(n)
		return n, err
	}
	n, err := l.w.Write(b[:l.left])
	if err != nil {
		return n, err
	}
	if err := l.then(); err != nil {
		return n, err
	}
	l.then = nil
	m, err := l.w.Write(b[n:])
	return n + m, err
}

// measure is how long a body is; past the limit it stops counting.
func measure(body func(io.Writer) error, limit int64) (int64, error) {
	var n int64
	err := body(writerFunc(func(b []byte) (int, error) {
		if n += int64(len(b)); n > limit {
			return 0, errFull
		}
		return len(b), nil
	}))
	if errors.Is(err, errFull) {
		err = nil
	}
	return n, err
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// deliver sends a body, with what the cap or a fault does to it.
func (s *Simulator) deliver(w *answer, r *http.Request, body func(io.Writer) error, fault *Fault) {
	limit, torn := int64(math.MaxInt64), false
	if most := s.cfg.ResponseCap; most > 0 {
		switch s.cfg.CapKind {
		case CapCut, CapAbort:
			limit, torn = most, s.cfg.CapKind == CapAbort
		case CapStatus, CapHang:
			n, err := measure(body, most)
			if err != nil {
				tear(w) // the client is gone, or the server ends
			}
			if n > most && s.cfg.CapKind == CapHang {
				sleep(r.Context(), math.MaxInt64)
				tear(w)
			}
			if n > most {
				s.fail(w, s.cfg.CapStatus, "the response is larger than response_size")
				return
			}
		case CapRows:
			// The report itself leaves rows out.
		}
	}
	then := func() error { return errFull }
	if fault != nil {
		n, err := measure(body, math.MaxInt64)
		if err != nil {
			tear(w) // the client is gone, or the server ends
		}
		if cut := int64(fault.Share * float64(n)); cut < limit {
			limit, torn = cut, fault.Kind == FaultAbort
			if fault.Kind == FaultStall {
				then = func() error {
					w.flush()
					if !sleep(r.Context(), fault.Delay) {
						return r.Context().Err()
					}
					return nil
				}
			}
		}
	}

	w.Header().Set("Content-Type", "application/json")
	var (
		to     io.Writer = w
		finish           = func(bool) error { return nil } // whether the body is torn
	)
	if !s.cfg.NoGzip && acceptsGzip(r.Header) {
		w.Header().Set("Content-Encoding", "gzip")
		z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
		if err != nil { // cannot be: the level exists
			panic(err)
		}
		to, finish = z, func(torn bool) error {
			if torn {
				return z.Flush()
			}
			return z.Close()
		}
		if fault != nil && fault.Kind == FaultStall {
			wait := then
			then = func() error {
				if err := z.Flush(); err != nil {
					return err
				}
				return wait()
			}
		}
	}
	w.WriteHeader(http.StatusOK)
	err := body(&limiter{w: to, left: limit, then: then})
	if err != nil && !errors.Is(err, errFull) {
		tear(w) // the client is gone, or the server ends: never an end that looks like one
	}
	// A client that has read a gzip's end may ask again before this call returns: it
	// then has one call in flight, not two.
	w.done()
	torn = torn && err != nil // a body below the cap ends as it should
	if e := finish(torn); e != nil {
		tear(w)
	}
	if torn {
		w.flush()
		tear(w)
	}
}

func acceptsGzip(h http.Header) bool {
	for _, v := range h.Values("Accept-Encoding") {
		for e := range strings.SplitSeq(v, ",") {
			name, params, _ := strings.Cut(strings.TrimSpace(e), ";")
			if name == "gzip" && strings.ReplaceAll(params, " ", "") != "q=0" {
				return true
			}
		}
	}
	return false
}

// control adds the paths that no ABS has.
func (s *Simulator) control(mux *http.ServeMux) {
	send := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = writeJSON(w, v) // the client may be gone
	}
	times := func(r *http.Request, names ...string) ([]time.Time, error) {
		out := make([]time.Time, len(names))
		for i, name := range names {
			if v := r.URL.Query().Get(name); v != "" {
				t, err := time.Parse(time.RFC3339, v)
				if err != nil {
					return nil, fmt.Errorf("%s is expected as in 2006-01-02T15:04:05Z", name)
				}
				out[i] = t
			}
		}
		return out, nil
	}
	mux.HandleFunc("GET /simulator/truth", func(w http.ResponseWriter, r *http.Request) {
		t, err := times(r, "from", "to", "at")
		if err == nil && (t[0].IsZero() || t[1].IsZero()) {
			err = errors.New("from and to are expected")
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var totals Totals
		if t[2].IsZero() {
			totals = s.Truth(t[0], t[1])
		} else {
			totals = s.TruthVisible(t[0], t[1], t[2])
		}
		if r.URL.Query().Get("tokens") == "false" {
			totals.ByToken = nil
		}
		send(w, totals)
	})
	mux.HandleFunc("GET /simulator/attacks", func(w http.ResponseWriter, r *http.Request) {
		t, err := times(r, "from", "to")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if t[1].IsZero() {
			t[1] = s.cfg.Now()
		}
		if t[0].IsZero() {
			t[0] = t[1].Add(-time.Second)
		}
		attacks := s.Attacks(t[0], t[1])
		if attacks == nil {
			attacks = []Attack{}
		}
		send(w, attacks)
	})
	mux.HandleFunc("GET /simulator/stats", func(w http.ResponseWriter, _ *http.Request) { send(w, s.Stats()) })
	mux.HandleFunc("GET /simulator/faults", func(w http.ResponseWriter, _ *http.Request) { send(w, s.Faults()) })
	mux.HandleFunc("DELETE /simulator/faults", func(w http.ResponseWriter, _ *http.Request) {
		_ = s.SetFaults() // none can't be wrong
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("PUT /simulator/faults", func(w http.ResponseWriter, r *http.Request) {
		faults, err := readFaults(http.MaxBytesReader(w, r.Body, 16<<20))
		if err == nil {
			err = s.SetFaults(faults...)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		send(w, s.Faults())
	})
}

func readFaults(r io.Reader) ([]Fault, error) {
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		return nil, err
	}
	return parseFaults(b.Bytes())
}
