package simulator

import (
	"compress/gzip"
	"context"
	"errors"
	"html"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"time"
)

// response remembers the status.
type response struct {
	http.ResponseWriter
	status int
	done   func() // the call is no longer in flight
}

func (a *response) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController flush and hijack.
func (a *response) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// flush sends what was written so far. A connection that can't be flushed fails at the next write.
func (a *response) flush() { _ = http.NewResponseController(a).Flush() }

func (s *Simulator) fail(w *response, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The client may be gone, and nobody else needs to know.
	_ = writeJSON(w, map[string]string{"message": message, "date": wallOf(s.cfg.Now(), s.cfg.Location).String()})
}

// sleep waits by the network's clock. It returns false if the caller gave up.
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
		_ = conn.Close() // nobody needs to know
	}
	panic(http.ErrAbortHandler) // the way to end a connection that can't be hijacked
}

// failWith answers a call as its fault says. It returns false if the fault only changes how the
// report is delivered.
func (s *Simulator) failWith(w *response, r *http.Request, report string, f *Fault) bool {
	page := func(contentType, body string) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(http.StatusOK)
		// The client may be gone.
		_, _ = io.WriteString(w, body)
	}
	switch f.Kind {
	case FaultStatus, FaultDown:
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		s.fail(w, f.Code, "simulated fault")
	case FaultHTML: // echoes the query, as a careless page would: a client must not log it
		page("text/html", "<!DOCTYPE html>\n<html><head><title>Sign on</title></head><body>"+
			"<form action=\"/login\">"+html.EscapeString(r.URL.RawQuery)+"</form></body></html>\n")
	case FaultGarbage:
		page("application/json", "{\n \"company\": \"ping identity\",\n \"name\": \"oauth_token_metrics\",\n \"summary\": }\x00\xff]{")
	case FaultBody:
		page("application/json", f.Body)
	case FaultWrongReport:
		other := "admin"
		if report == "admin" {
			other = "attackstatus"
		}
		if body, err := s.body(r.Context(), request{report: other, at: s.cfg.Now()}); err == nil {
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
		return false
	}
	return true
}

// errFull ends the writing of a body that is cut.
var errFull = errors.New("the body is cut here")

// limiter passes on so many bytes and then calls then, which decides whether the rest follows or
// the writing ends with an error.
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

func full() error { return errFull }

// measure returns how long a body is, or limit+1 if it is longer than limit. It tears the
// connection of a client that is gone.
func measure(w *response, body func(io.Writer) error, limit int64) int64 {
	l := &limiter{w: io.Discard, left: limit, then: full}
	switch err := body(l); {
	case errors.Is(err, errFull):
		return limit + 1
	case err != nil:
		tear(w)
	}
	return limit - l.left
}

// encoder is the body of a response, compressed or not.
type encoder interface {
	io.WriteCloser
	Flush() error
}

// compressor returns a gzip writer, to be put back into compressors: to make one takes longer than
// to compress most reports.
func (s *Simulator) compressor(w io.Writer) *gzip.Writer {
	z, ok := s.compressors.Get().(*gzip.Writer)
	if !ok {
		z, _ = gzip.NewWriterLevel(w, gzip.BestSpeed) // the level exists
	}
	z.Reset(w)
	return z
}

type plainBody struct{ io.Writer }

func (plainBody) Flush() error { return nil }
func (plainBody) Close() error { return nil }

// deliver sends a body, with what the cap or a fault does to it.
func (s *Simulator) deliver(w *response, r *http.Request, body func(io.Writer) error, fault *Fault) {
	limit, torn := int64(math.MaxInt64), false
	switch most := s.cfg.ResponseCap; {
	case most <= 0 || s.cfg.CapKind == CapRows: // the report itself leaves rows out
	case s.cfg.CapKind == CapCut || s.cfg.CapKind == CapAbort:
		limit, torn = most, s.cfg.CapKind == CapAbort
	case measure(w, body, most) <= most:
	case s.cfg.CapKind == CapHang:
		sleep(r.Context(), math.MaxInt64)
		tear(w)
	case s.cfg.CapKind == CapError:
		s.fail(w, http.StatusInternalServerError, "the response can not be made")
		return
	default:
		s.fail(w, http.StatusRequestEntityTooLarge, "the response is larger than response_size")
		return
	}

	var out encoder = plainBody{w}
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		z := s.compressor(w)
		defer s.compressors.Put(z)
		out = z
	}
	then := full
	if fault != nil {
		if cut := int64(fault.Share * float64(measure(w, body, math.MaxInt64))); cut < limit {
			limit, torn = cut, fault.Kind == FaultAbort
			if fault.Kind == FaultStall {
				then = func() error {
					if err := out.Flush(); err != nil {
						return err
					}
					w.flush()
					sleep(r.Context(), fault.Delay)
					return r.Context().Err()
				}
			}
		}
	}

	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	err := body(&limiter{w: out, left: limit, then: then})
	if err != nil && !errors.Is(err, errFull) {
		tear(w) // the client is gone, or the server ends: never an end that looks like one
	}
	// A client that has read a gzip's end may send the next call before this one returns: it then
	// has one call in flight, not two.
	w.done()
	if torn && err != nil { // a body below the cap ends as it should
		_ = out.Flush() // torn in any case
		w.flush()
		tear(w)
	}
	if err := out.Close(); err != nil {
		tear(w)
	}
}
