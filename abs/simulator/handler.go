package simulator

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// endpoints are the reports by their paths. The admin report has moved between versions, and is at
// both.
var endpoints = map[string]string{
	"/v4/abs/oauthtokens":  "oauthtokens",
	"/v4/abs":              "forensics",
	"/v4/abs/attacklist":   "attacklist",
	"/v4/abs/attack":       "attack",
	"/v4/abs/attackstatus": "attackstatus",
	"/v5/abs/admin":        "admin",
	"/v4/abs/admin":        "admin",
}

func endpointNames() []string { return slices.Compact(slices.Sorted(maps.Values(endpoints))) }

// Handler returns the handler of ABS's reports, and beside them, under /simulator/, of what no ABS
// has:
//
//	GET     /simulator/truth?from=T&to=T[&at=T]   Totals; T as in 2006-01-02T15:04:05Z
//	GET     /simulator/attacks[?from=T&to=T]      attacks that overlap this time, default now
//	GET     /simulator/stats                      Stats
//	GET     /simulator/faults                     the faults that are set
//	PUT     /simulator/faults                     sets faults: a JSON array of Fault
//	DELETE  /simulator/faults                     removes all
//
// These require no keys: all that they return is made up.
//
// Status codes and bodies of errors are not published (facts 4). Here a wrong key is a 401, a
// restricted one where it isn't allowed a 403, a wrong date a 400, each with a body that contains a
// message and a date.
func (s *Simulator) Handler() http.Handler { return s.handler }

func (s *Simulator) routes() http.Handler {
	mux := http.NewServeMux()
	s.control(mux)
	mux.HandleFunc("/", s.serve)
	return mux
}

func (s *Simulator) serve(w http.ResponseWriter, r *http.Request) {
	report, known := endpoints[r.URL.Path]
	if s.cfg.Version44 && r.URL.Path == "/v5/abs/admin" {
		known = false
	}
	if !known {
		report = "other"
	}
	params, paramsErr := url.ParseQuery(r.URL.RawQuery)
	user := s.user(r.Header)
	call := &Call{
		Time: time.Now(), At: s.cfg.Now(), Method: r.Method,
		Earlier: params.Get("earlier_date"), Later: params.Get("later_date"),
		Restricted: user == userRestricted,
	}
	if report == "forensics" {
		call.Token = params.Get("token")
	}
	s.stats.begin(report, call)
	w.Header().Set("Date", call.At.UTC().Format(http.TimeFormat))
	out := &response{ResponseWriter: w}
	w.Header().Set("Date", call.At.UTC().Format(http.TimeFormat)) // of its own clock
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
	hits := s.hit(report, call.At)
	if hits.wait > 0 && !sleep(r.Context(), hits.wait) {
		tear(out)
	}
	req := request{report: report, params: params, restricted: user == userRestricted, at: s.cfg.Now()}
	req.known = s.knownBy(req.at.Add(-hits.behind).UnixNano())
	fault := hits.fault
	switch {
	case fault == nil:
	case fault.Kind == FaultDown && fault.Code == http.StatusOK:
		req.known, fault = nothing, nil
	case s.failWith(out, r, report, fault):
		return
	}
	switch {
	case user == userNone:
		s.fail(out, http.StatusUnauthorized, "access key or secret key is wrong")
		return
	case user == userRestricted && report == "forensics":
		s.fail(out, http.StatusForbidden, "the restricted user can not access this report")
		return
	case paramsErr != nil:
		s.fail(out, http.StatusBadRequest, "the query can not be read")
		return
	}
	body, err := s.body(r.Context(), req)
	if err != nil {
		s.fail(out, http.StatusBadRequest, err.Error())
		return
	}
	s.deliver(out, r, body, fault)
}

// request is what is to be answered.
type request struct {
	report     string
	params     url.Values
	restricted bool
	at         time.Time
	known      int64 // up to when what arrived is known, in nanoseconds
}

// body returns what writes the response to a call. It may be called twice, and writes the same
// then.
func (s *Simulator) body(ctx context.Context, r request) (func(io.Writer) error, error) {
	report, params, at := r.report, r.params, r.at
	switch report {
	case "admin":
		return func(w io.Writer) error { return s.writeAdmin(w, at) }, nil
	case "attackstatus":
		return func(w io.Writer) error { return s.writeAttackStatus(w, at) }, nil
	}
	for _, name := range []string{"earlier_date", "later_date"} {
		if len(params[name]) != 1 {
			return nil, fmt.Errorf("%s is expected once", name)
		}
	}
	q, err := s.query(params.Get("earlier_date"), params.Get("later_date"), at, r.known)
	if err != nil {
		return nil, err
	}
	q.restricted = r.restricted
	token := params.Get("token")
	switch {
	case report == "oauthtokens":
		return func(w io.Writer) error { return s.writeTokens(ctx, w, q) }, nil
	case report == "attacklist":
		return func(w io.Writer) error { return s.writeAttackList(w, q) }, nil
	case report == "forensics" && token != "" && len(params["token"]) == 1:
		return func(w io.Writer) error { return s.writeForensics(w, q, token) }, nil
	case report == "attack" && params.Get("type") == "0":
		return func(w io.Writer) error { return s.writeAttack(w, q, params.Get("api")) }, nil
	}
	return nil, errors.New("only forensics of one token and attacks of type 0 are simulated")
}

type user int

const (
	userNone user = iota
	userAdmin
	userRestricted
)

func (s *Simulator) user(h http.Header) user {
	same := func(got, want string) bool { return subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1 }
	s.mu.Lock()
	access, secret := s.cfg.AccessKey, s.cfg.SecretKey
	s.mu.Unlock()
	switch {
	case same(h.Get("X-Abs-Ak"), access) && same(h.Get("X-Abs-Sk"), secret):
		return userAdmin
	case same(h.Get("X-Abs-Ak-Ru"), s.cfg.RestrictedAccessKey) && same(h.Get("X-Abs-Sk-Ru"), s.cfg.RestrictedSecretKey):
		return userRestricted
	}
	return userNone
}
